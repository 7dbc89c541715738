"""How long what is kept is kept: `totals` counts days before their rows go, `pruning` removes what is old, and
`forgetting` removes a person. What is removed of a row is said in `blanking`."""
