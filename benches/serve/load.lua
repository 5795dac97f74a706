-- For wrk: posts texts from the file that TEXTS names, one a line, in turn, to the path that TARGET names; prints what was measured as one line of JSON.
local bodies, at = {}, 0
for line in io.lines(os.getenv("TEXTS")) do
  bodies[#bodies + 1] = '{"inputs": ' .. line .. ', "truncate": true}'
end

function request()
  at = at % #bodies + 1
  return wrk.format("POST", os.getenv("TARGET"), { ["Content-Type"] = "application/json" }, bodies[at])
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
