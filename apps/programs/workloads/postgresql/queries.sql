-- Sorts and hash joins in memory: work_mem is large, so each query builds its tables and runs anew and gives them back.
\timing on
select count(*), max(p) from (select lag(note) over (order by note) || '' as p from orders) s where p is not null;
select region, count(*), sum(amount) from orders join customers on customer = customers.id group by region order by region limit 5;
select count(*) from (select a.customer from orders a join orders b on a.id = b.id + 1 and a.amount > b.amount) j;
select sum(n * length(name)) from (select name, count(*) as n, max(note) from orders join customers on customer = customers.id group by name order by max(note), name) g;
select count(*), min(amount), max(amount) from (select distinct on (customer) customer, amount, id from orders order by customer, amount desc, id) d;
select md5(string_agg(note, '' order by amount, id)) from orders where amount < 40000;
select region, count(*), sum(amount) from orders join customers on customer = customers.id group by region order by region desc limit 5;
select count(distinct note) from orders;
