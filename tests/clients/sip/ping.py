"""ping.py PORT: waits until a SIP proxy on 127.0.0.1 answers an OPTIONS request over UDP."""

import socket
import sys
import time

port = int(sys.argv[1])
ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ping.bind(("127.0.0.1", 0))
ping.settimeout(0.1)
here = "127.0.0.1:%d" % ping.getsockname()[1]
for attempt in range(150):
    request = (
        f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{attempt}\r\nMax-Forwards: 5\r\n"
        f"From: <sip:ping@{here}>;tag=1\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: {attempt}@{here}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    try:
        ping.sendto(request.encode(), ("127.0.0.1", port))
        if b" 200 " in ping.recv(4096).split(b"\r\n")[0]:
            sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit(f"no SIP answer on port {port}")
