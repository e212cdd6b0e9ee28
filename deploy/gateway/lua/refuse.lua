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
