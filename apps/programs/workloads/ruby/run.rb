# Requests of a web application: rows from JSON, a page from a template, large strings now and then; a collector that
# marks and sweeps.
require 'digest'
require 'erb'
require 'json'

random = Random.new(37)
rows = Array.new(1500) { |i| { 'id' => i, 'name' => "item #{random.rand(400)}", 'price' => random.rand(9999) } }
json = JSON.generate(rows)
template = ERB.new(<<~HTML, trim_mode: '-')
  <h1><%= number %></h1>
  <%- groups.sort.each do |name, group| -%>
  <h2><%= name %></h2>
  <%- group.sort_by { |r| [r['price'], r['id']] }.each do |row| -%>
  <li><%= row['id'] %>: <%= format('%.2f', row['price'] / 100.0) %></li>
  <%- end -%>
  <%- end -%>
HTML
sum = ''
180.times do |number|
  groups = JSON.parse(json).group_by { |row| row['name'] }
  text = template.result_with_hash(number: number, groups: groups)
  text = (text * (20 + number % 40)).upcase if (number % 10).zero?
  sum = Digest::MD5.hexdigest(sum + text)
end
puts sum
