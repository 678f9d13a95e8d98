-- wrk's side of a load: addresses from a file in turn over all connections, then one line of JSON.
-- Arguments: file of addresses, token, status expected, "steady" or "varying" headers.
local addresses, at, sent = {}, 0, 0
local varying, tail
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    for line in io.lines(args[1]) do addresses[#addresses + 1] = line end
    tail = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer " .. args[2]
    expected, varying, as_expected = tonumber(args[3]), args[4] == "varying", 0
    if expected >= 400 then
        response = function(status)
            if status == expected then as_expected = as_expected + 1 end
        end
    end
end

function request()
    at, sent = at % #addresses + 1, sent + 1
    local own = varying and ("\r\nX-Correlation-Id: bench-" .. sent) or ""
    return "GET " .. addresses[at] .. tail .. own .. "\r\n\r\n"
end

function done(summary, latency, _)
    local errors, unexpected = summary.errors, 0
    for _, thread in ipairs(threads) do
        if thread:get("expected") >= 400 then
            unexpected = summary.requests - thread:get("as_expected")
        else
            unexpected = errors.status
        end
    end
    io.write(string.format(
        '\n{"answers":%d,"seconds":%.6f,"unexpected":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6, unexpected,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
