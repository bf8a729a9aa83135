# server.sh DATA PORT: writes a configuration into the current folder and becomes the server, one process
set -eu
printf '%s\n' "daemon off; master_process off; pid nginx.pid; events { worker_connections 256; }" \
  "http { access_log off; keepalive_requests 100000; default_type text/plain; gzip on; gzip_types text/plain;" \
  "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;" \
  "uwsgi_temp_path uwsgi; scgi_temp_path scgi;" \
  "server { listen 127.0.0.1:$2; root \"$1\"; } }" >nginx.conf
exec /usr/sbin/nginx -p "$PWD" -e stderr -c nginx.conf
