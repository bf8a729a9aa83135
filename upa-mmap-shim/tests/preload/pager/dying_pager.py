"""dying_pager.py SOCKET LIBRARY PROGRAM KIND: a pager that reads of a child, and dies before anybody keeps what the
child's pages need. The next one gives it all its pages, and not before then does it run."""
import array, ctypes, fcntl, mmap, os, select, socket, struct, subprocess, sys

path, library, program, kind = sys.argv[1:5]
PAGE, PAGES = 4096, 2048
DONE, WELCOME, STAGE, EVICTED, BORN, UNBORN, TOLD = 1, 16, 17, 21, 25, 26, 3
STAGING_OFFSET = 8192 + 16384 + 8192
REGISTER, COPY, EVENT_FORK = 0xc020aa00, 0xc028aa03, 0x13

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.path.exists(path):
    os.unlink(path)
listener.bind(path)
listener.listen(8)
run = subprocess.Popen([program, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                       env=dict(os.environ, LD_PRELOAD=library, UPA_PAGER=path))
client, _ = listener.accept()
hello, ancillary, _, _ = client.recvmsg(128, socket.CMSG_SPACE(64 * 4))
fds = array.array('i')
fds.frombytes(ancillary[0][2][:len(ancillary[0][2]) // 4 * 4])
uffd, file = fds[0], fds[1]
base, length, _, _, known = struct.unpack_from('QQIIQ', hello, 16)


def say(what, count=0, ticket=0, argument=0):
    client.send(struct.pack('IIIIQ', what, count, ticket, 0, argument))


def hear(what):
    """Its count, and the descriptor that comes with it."""
    while True:
        message, ancillary, _, _ = client.recvmsg(24, socket.CMSG_SPACE(4))
        if not message:
            sys.exit('the client is gone')
        if struct.unpack_from('I', message)[0] == what:
            return struct.unpack_from('I', message, 4)[0], struct.unpack('i', ancillary[0][2])[0] if ancillary else -1


say(WELCOME, argument=1 << 20)
memory = int(run.stdout.readline(), 16)
hear(2)  # ACTIVATE
for start, bytes_ in (known, PAGE), (base, length):
    fcntl.ioctl(uffd, REGISTER, struct.pack('QQQQ', start, bytes_, 1, 0))
shared = mmap.mmap(file, STAGING_OFFSET)
say(EVICTED, argument=1)
first = (memory - base) // PAGE
for at in range(0, PAGES // 2, 256):
    for i in range(256):
        struct.pack_into('I', shared, 4 * i, first + at + i)
        struct.pack_into('I', shared, 4 * (256 + i), at % 512 + i)
    say(STAGE, 256, at + 1)
    hear(DONE)
    assert struct.unpack_from('256i', shared, 4096) == (0,) * 256, 'pages have not gone'
run.stdin.write('x')
run.stdin.flush()
os.set_blocking(uffd, True)
while True:
    message = os.read(uffd, 32)
    if message[0] == EVENT_FORK:
        break
# All that a pager has is closed when it dies: the child's userfaultfd, which nobody else has.
os.close(struct.unpack_from('I', message, 8)[0])
client.close()
client, _ = listener.accept()
client.recvmsg(128, socket.CMSG_SPACE(64 * 4))
say(WELCOME, argument=1 << 20)
asked, state = 0, 0
while state != TOLD:
    asked += 1
    say(UNBORN, 0, asked)
    state, child = hear(DONE)
select.select([run.stdout], [], [], 0.3)[0] and sys.exit('a child runs that has not all its pages')
content = ctypes.create_string_buffer(b'\1' * PAGE)
for start, bytes_ in (known, PAGE), (base, length):
    fcntl.ioctl(child, REGISTER, struct.pack('QQQQ', start, bytes_, 1, 0))
for page in [memory + i * PAGE for i in range(PAGES // 2)] + [known]:
    fcntl.ioctl(child, COPY, struct.pack('QQQQQ', page, ctypes.addressof(content), PAGE, 0, 0))
os.close(child)
say(BORN)
said = run.stdout.readline().strip()
run.kill()
run.wait()
print(kind, said)
sys.exit(said != 'good')
