// A command to put before another: under it there are no netfilter sockets, as on a kernel without them. A seccomp filter
// (seccomp(2)) has socket(AF_NETLINK, …, NETLINK_NETFILTER) fail with EPROTONOSUPPORT.

const SCRIPT = `
import ctypes, errno, os, platform, struct, sys
socket = {'x86_64': 41, 'aarch64': 198}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NUMBER, FIRST, THIRD = 0, 16, 32
program = [(LOAD, 0, 0, NUMBER), (EQUAL, 0, 5, socket), (LOAD, 0, 0, FIRST), (EQUAL, 0, 3, 16), (LOAD, 0, 0, THIRD),
           (EQUAL, 0, 1, 12), (RETURN, 0, 0, ERRNO | errno.EPROTONOSUPPORT), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *one) for one in program))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
filter = Program(len(program), ctypes.addressof(code))
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter), 0, 0) != 0:
    sys.exit('seccomp: ' + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
`;

/** Needs root, as all of these tests do. */
export const withoutNetfilter: readonly string[] = ['python3', '-c', SCRIPT];
