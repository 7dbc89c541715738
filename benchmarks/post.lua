-- Posts the reports of a bulk SMS as `traffic.py` makes them, each body once: `wrk -s post.lua URL -- PREFIX`.

local body = "rate=0.032&dest=%%2B65%08d&tag=order-%d&sms_status=%s&debit=0.032&date=2012-06-06+11%%3A15%%3A20.0"
    .. "&split_count=1&txn_ref=%s-%d&currency=SGD"
local headers = {
    ["Content-Type"] = "application/x-www-form-urlencoded",
    ["User-Agent"] = "Jakarta Commons-HttpClient/3.0.1",
}
local SCATTER = 54018521
local prefix
local count = 0

function init(arguments)
    prefix = arguments[1]
end

function request()
    local number = math.floor(count / 2)
    local status = count % 2 == 0 and "queued" or "delivered"
    count = count + 1
    return wrk.format("POST", nil, headers, string.format(body, number * SCATTER % 10^8, number, status, prefix, number))
end

-- The last line: requests, microseconds, failures.
function done(summary)
    local failed = summary.errors
    local failures = failed.connect + failed.read + failed.write + failed.status + failed.timeout
    io.write(string.format("%d %d %d\n", summary.requests, summary.duration, failures))
end
