# prepare.sh JDK WORKLOAD DATA: Lucene, and the program compiled
set -euo pipefail
export JAVA_HOME=$1
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact=org.apache.lucene:lucene-core:9.12.1 -DoutputDirectory="$3"
"$1/bin/javac" -cp "$3/lucene-core-9.12.1.jar" -d "$3" "$2/Search.java"
