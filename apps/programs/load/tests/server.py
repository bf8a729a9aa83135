# server.py redis|memcached|http [FAULT]: a small server on a free port, which it prints. It answers as the real ones
# do, but for FAULT: value (one byte of the 40th value is wrong), lost (the 40th value is gone), silent (closes after 40
# requests), status (http: 404).
import socketserver
import sys

protocol, fault = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
store = {}
asked = 0
saves = 0


class Handler(socketserver.StreamRequestHandler):
    def line(self):
        return self.rfile.readline().strip()

    def value(self, key):
        global asked
        asked += 1
        value = store.get(key)
        if asked == 40 and value:
            value = b"!" + value[1:] if fault == "value" and value[:1] != b"!" else None if fault == "lost" else value
        return value

    def redis(self, line):
        global saves
        words = [line]
        if line.startswith(b"*"):
            words = [self.rfile.read(int(self.line()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]
        name = words[0].split()[0]
        if name == b"SET":
            store[words[1]] = words[2]
            return b"+OK\r\n"
        if name == b"DEL":
            return b":%d\r\n" % (store.pop(words[1], None) is not None)
        if name == b"GET":
            value = self.value(words[1])
            return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        if name == b"BGSAVE":
            saves += 1
            return b"+Background saving started\r\n"
        saved = b"err" if fault == "save" else b"ok"
        return b"$60\r\nrdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:" + saved + b"\r\n"

    def memcached(self, line):
        words = line.split()
        if words[0] == b"set":
            store[words[1]] = self.rfile.read(int(words[4]) + 2)[:-2]
            return b"STORED\r\n"
        if words[0] == b"delete":
            return b"NOT_FOUND\r\n" if store.pop(words[1], None) is None else b"DELETED\r\n"
        value = self.value(words[1])
        return b"END\r\n" if value is None else b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (words[1], len(value), value)

    def http(self, line):
        global asked
        asked += 1
        while self.line():
            pass
        name = line.split()[1]
        body = name * 1000 + (b"!" if fault == "value" and asked >= 40 else b"")
        status = b"HTTP/1.1 " + (b"404 Not Found" if fault == "status" else b"200 OK") + b"\r\n"
        if len(name) % 2:
            return status + b"Content-Length: %d\r\n\r\n" % len(body) + body
        middle = len(body) // 3
        chunks = (middle, body[:middle], len(body) - middle, body[middle:])
        return status + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % chunks

    def handle(self):
        count = 0
        while line := self.line():
            self.wfile.write(getattr(self, protocol)(line))
            count += 1
            if fault == "silent" and count == 40:
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
