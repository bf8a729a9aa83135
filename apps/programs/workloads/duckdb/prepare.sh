# prepare.sh JDK WORKLOAD DATA: DuckDB's JDBC driver, and the program compiled
set -euo pipefail
export JAVA_HOME=$1
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact=org.duckdb:duckdb_jdbc:1.3.2.0 -DoutputDirectory="$3"
"$1/bin/javac" -d "$3" "$2/Queries.java"
