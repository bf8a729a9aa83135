// Joins, sorts and aggregates of tables in memory: DuckDB's own allocator is malloc, in blocks of 256 KiB and more.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

public final class Queries {
  private static final String[] QUERIES = {
    "create table orders as select i as id, (i * 48271) % 30000 as customer, (i * 7919) % 100003 as amount,"
        + " md5(i::varchar) as note from range(400000) t(i)",
    "create table customers as select i as id, 'customer ' || (i * 7919 % 30011) as name, i * 31 % 97 as region"
        + " from range(30000) t(i)",
    "select region, count(*), sum(amount) from orders join customers on customer = customers.id group by region"
        + " order by region limit 5",
    "select md5(string_agg(note, '' order by amount, id)) from orders where amount < 40000",
    "select count(*), max(p) from (select lag(note) over (order by note) as p from orders)",
    "select count(distinct note) from orders",
    "select sum(n * length(name)) from (select name, count(*) as n, max(note) from orders join customers"
        + " on customer = customers.id group by name)",
  };

  public static void main(String[] arguments) throws Exception {
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      statement.execute("set threads = 2");
      for (int round = 0; round < 3; round++) {
        for (String query : QUERIES) {
          if (!query.startsWith("select")) {
            if (round == 0) {
              statement.execute(query);
            }
            continue;
          }
          try (ResultSet result = statement.executeQuery(query)) {
            int columns = result.getMetaData().getColumnCount();
            while (result.next()) {
              StringBuilder line = new StringBuilder();
              for (int i = 1; i <= columns; i++) {
                line.append(result.getObject(i)).append(' ');
              }
              System.out.println(line);
            }
          }
        }
      }
    }
  }
}
