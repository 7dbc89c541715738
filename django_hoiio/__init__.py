"""Receives the notifications of Hoiio's telephony API: keeps them, tells them by signals, shows them in the admin."""
