"""Processes that the tests start: their log lines as they come, their end, their memory."""
import fcntl
import os
import re
import signal
import subprocess
import threading

STOP_WITHIN = 20  # seconds for a process to end by itself, under a sanitizer on a busy machine

REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:|CHECK failed")

# A sanitizer's report must end the process with a status that no code of ours uses.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:exitcode=86",
    "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=86",
    "TSAN_OPTIONS": "exitcode=86",
}

everything = []  # processes of this test run, for the report of a failed test


class Process:
    """One child. Its standard error is read line by line in a thread, so that a test can wait for a line."""

    def __init__(self, name, argv, env=None, pass_fds=(), preexec_fn=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.killed = False
        self.lines = []
        self._changed = threading.Condition()
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, 1031, 1 << 20)  # F_SETPIPE_SZ: our log drops lines rather than wait for a reader
        self.popen = subprocess.Popen(list(map(str, argv)), stdin=stdin, stdout=write_end, stderr=write_end,
                                      env={**os.environ, **SANITIZERS, **(env or {})}, pass_fds=pass_fds,
                                      preexec_fn=preexec_fn)
        os.close(write_end)
        self._reader = threading.Thread(target=self._read, args=(read_end,), daemon=True)
        self._reader.start()
        everything.append(self)

    def _read(self, fd):
        with os.fdopen(fd, "r", errors="replace") as pipe:
            for line in pipe:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self.lines.append("(end of output)")
            self._changed.notify_all()

    def wait_line(self, pattern, timeout=30, start=0):
        """The match of the first line, from line number `start` on, that has the pattern in it."""
        def find():
            for line in self.lines[start:]:
                if match := re.search(pattern, line):
                    return match
            return self.lines and self.lines[-1] == "(end of output)"

        with self._changed:
            found = self._changed.wait_for(find, timeout)
        assert isinstance(found, re.Match), f"{self.name} did not log {pattern!r}:\n{self.tail()}"
        return found

    def matching(self, pattern):
        return [line for line in list(self.lines) if re.search(pattern, line)]

    def tail(self, count=40):
        return "\n".join(self.lines[-count:])

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=STOP_WITHIN):
        """The exit status, once all output has been read."""
        code = self.popen.wait(timeout)
        self._reader.join(timeout)
        return code

    def stop(self):
        """SIGTERM, and all that a clean end means. What a test has killed need only have been clean until then."""
        if self.killed:
            self.assert_clean()
            return
        if self.running():
            self.signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.tail()}") from None
        assert code == 0, f"{self.name} ended with status {code}:\n{self.tail()}"
        self.assert_clean()

    def assert_clean(self):
        reports = self.matching(REPORT)
        assert not reports, f"{self.name}:\n{self.tail(80)}"

    def kill(self):
        self.killed = True
        if self.running():
            self.signal(signal.SIGKILL)
        self.wait()

    def rss(self):
        """Bytes, now."""
        return self._status("VmRSS")

    def peak_rss(self):
        return self._status("VmHWM")

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"{name}:\s+(\d+) kB", status.read()).group(1)) * 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
