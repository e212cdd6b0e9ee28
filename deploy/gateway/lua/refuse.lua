-- Refuses the request. The body of the answer is the gateway's own for the status, and tells of a field what is noted here.
local function refuse(handle, status, why, headers)
  if why and why.field then
    local notes = handle:streamInfo():dynamicMetadata()
    notes:set("lyceum", "field", why.field)
    notes:set("lyceum", "said", why.said)
  end
  headers = headers or {}
  headers[":status"] = status
  handle:respond(headers, "refused")
end

-- Envoy would let a request pass that a filter fails at. What went wrong tells where in the code, and nothing of the request.
local function guarded(look)
  return function(handle)
    local is_done, why = pcall(look, handle)
    if not is_done then
      handle:logErr(tostring(why))
      refuse(handle, "500")
    end
  end
end
