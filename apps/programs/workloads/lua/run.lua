-- Tables that grow by doubling, objects, and strings built with table.concat; Lua's collector frees them singly through realloc.
local sum = 0
local state = 8
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state % n
end

for round = 1, 8 do
  local points, index = {}, {}
  for i = 1, 60000 do
    local point = { x = random(1000), y = random(1000), tag = "p" .. random(5000) }
    points[i] = point
    index[point.tag] = (index[point.tag] or 0) + point.x
  end
  table.sort(points, function(a, b) return a.x < b.x or (a.x == b.x and a.y < b.y) end)
  local parts = {}
  for i = 1, #points, 3 do parts[#parts + 1] = points[i].x .. ":" .. points[i].y end
  local text = table.concat(parts, ",")
  local count = 0
  for _ in pairs(index) do count = count + 1 end
  sum = (sum * 31 + #text + count + points[30000].y) % 1000000007
end
print(sum)
