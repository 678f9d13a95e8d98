-- wrk's side of a load: requests from a file in turn over all connections, then one line of JSON.
-- Arguments: file of asks (status, name of a token or a token, path), "steady" or "varying" headers, then the tokens as name=token.
local statuses, tokens, paths = {}, {}, {}
local at, varying = 0, false
local threads = {}
-- Globals, so that `done` can read them: wrk gives each thread a Lua of its own.
sent, refusals, answered = 0, false, {}

function setup(thread)
    table.insert(threads, thread)
end

local function count(status)
    answered[tostring(status)] = (answered[tostring(status)] or 0) + 1
end

function init(args)
    local bearers = {}
    for index = 3, #args do
        local name, token = args[index]:match("^(%w+)=(.*)$")
        bearers[name] = token
    end
    varying = args[2] == "varying"
    for line in io.lines(args[1]) do
        local status, token, path = line:match("^(%d+) (%S+) (.*)$")
        tokens[#tokens + 1], paths[#paths + 1] = bearers[token] or token, path
        refusals = refusals or status ~= "200"
    end
    -- wrk counts errors by itself, and cheaper; of several statuses it has to be told.
    if refusals then response = count end
end

function request()
    at, sent = at % #paths + 1, sent + 1
    local own = varying and ("\r\nX-Correlation-Id: bench-" .. sent) or ""
    return "GET " .. paths[at] .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer "
        .. tokens[at] .. own .. "\r\n\r\n"
end

function done(summary, latency, _)
    local errors, thread = summary.errors, threads[1]
    local told = {}
    if thread:get("refusals") then
        for status, number in pairs(thread:get("answered")) do
            told[#told + 1] = string.format('"%s":%d', status, number)
        end
    else
        told[1] = string.format('"200":%d', summary.requests - errors.status)
        if errors.status > 0 then told[2] = string.format('"400":%d', errors.status) end
    end
    -- The first request that wrk asks for is a trial, and is not sent; up to one a connection has no answer yet.
    io.write(string.format(
        '\n{"answers":%d,"seconds":%.6f,"sent":%d,"statuses":{%s},"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"unfinished":%d}\n',
        summary.requests, summary.duration / 1e6, thread:get("sent"), table.concat(told, ","),
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, thread:get("sent") - summary.requests))
end
