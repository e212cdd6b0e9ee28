-- Reads a query beside the fields of the RPC's request; FIELDS is put before this, as for JSON: { name, of, many }.
local NO_QUERY = { field = "query", said = "is not one of names and values" }
local UNKNOWN = { field = "query", said = "holds an unknown parameter" }

-- the name as the proto has it, with dots between messages, and whether it may be there more than once
local function parameter(message, name)
  local found, field = {}, { "", message }
  for part in (name .. "."):gmatch("([^.]*)%.") do
    field = FIELDS[field[2]] and FIELDS[field[2]][part]
    if not field then return nil end
    found[#found + 1] = field[1]
  end
  return table.concat(found, "."), field[3]
end

local function unknown(name)
  local is_harmless = #name <= MAX_NAME_CHARS and find(name, "^[%w_.]+$")
  return is_harmless and { field = name, said = "is not a parameter of this request" } or UNKNOWN
end

local function complaint_of(part, route, seen)
  local name, value = part:match("^([^=]*)=(.*)$")
  name, value = name and decode(name), value and decode(value)
  if not name or not value then return NO_QUERY end
  local known, many = parameter(route.query or "", name)
  if known == nil or find(route.path, "{" .. known .. "}", 1, true) then return unknown(name) end
  if seen[known] and not many then return { field = name, said = "is there twice" } end
  seen[known] = true
  return not is_utf8(value) and { field = name, said = "must be Unicode text" } or nil
end

-- Why the query of `path` is none of this RPC: { field, said }, or nil where it is one.
local function query_complaint(path, route)
  local seen = {}
  for part in (path:match("%?(.*)$") or ""):gmatch("[^&]+") do
    local why = complaint_of(part, route, seen)
    if why then return why end
  end
end
