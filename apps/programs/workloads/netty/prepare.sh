# prepare.sh JDK WORKLOAD DATA: Netty's buffers, and the program compiled
set -euo pipefail
export JAVA_HOME=$1
for artifact in buffer common; do
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="io.netty:netty-$artifact:4.1.119.Final" -DoutputDirectory="$3"
done
"$1/bin/javac" -cp "$3/*" -d "$3" "$2/Buffers.java"
