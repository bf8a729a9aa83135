-- Bulk load, index, sort and aggregate of a table of 250 000 rows in memory: a page cache of 4 KiB pieces that grows, and sorter blocks.
pragma temp_store = memory;
create table t (id integer primary key, name text, value integer);
begin;
with recursive n (i) as (select 1 union all select i + 1 from n where i < 250000)
  insert into t select i, printf('name-%08x', i * 2654435761 % 4294967296), i * 7919 % 100003 from n;
commit;
create index by_name on t (name);
create index by_value on t (value, name);
select count(*), sum(value), min(name), max(name) from t;
select sum(length(name) * row) from (select name, row_number() over (order by value desc, name) as row from t);
select value % 100, count(*), max(name) from t group by 1 order by 2, 1 limit 5;
delete from t where id % 3 = 0;
vacuum;
select count(*), sum(value) from t;
