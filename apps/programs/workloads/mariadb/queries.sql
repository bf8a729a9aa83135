select region, count(*), sum(amount) from orders join customers on customer = customers.id group by region order by region limit 5;
select md5(group_concat(note order by amount, id separator '')) from orders where amount < 15000;
select count(distinct note) from orders;
select sum(n * length(name)) from (select name, count(*) as n, max(note) from orders join customers on customer = customers.id group by name) g;
select count(*), max(p) from (select lag(note) over (order by note) as p from orders) s;
select region, count(*), max(note) from orders join customers on customer = customers.id group by region order by region desc limit 5;
select count(*) from (select note from orders order by note limit 199999) s;
