"""Evaluators good and bad, copied into the checkout of a test: each does one thing that a model's code may do."""

import ctypes, os, signal, socket, subprocess, sys, time
from pathlib import Path

def counts(rows=2, hits=1):
    return {"schema": "promotion/counts/v1", "rows": rows, "seconds": 0.25, "positive": "attack",
            "parts": {"model": {"labels": ["attack", "benign"], "confusion": [[hits, 0], [rows - 2 * hits, hits]]}}}

def good(model, dataset, settings):
    assert (Path(model) / "MLmodel").is_file() and len(Path(dataset).read_text().splitlines()) == 2 and settings == {"threshold": 0.5}
    return counts()

def sharded(model, dataset, settings):
    for _ in range(3):
        yield counts()

def raises(model, dataset, settings): raise ValueError("the rows \x1b[31mare odd")
def exits(model, dataset, settings): sys.exit(0)
def vanishes(model, dataset, settings): os._exit(0)
def crashes(model, dataset, settings): ctypes.string_at(0)
def loops(model, dataset, settings):
    while True: pass
def sleeps_deaf(model, dataset, settings):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
def eats(model, dataset, settings):
    kept = []
    while True: kept.append(bytearray(os.urandom(1 << 20) * 8)); time.sleep(0.01)
def grabs(model, dataset, settings): return bytearray(8 << 30)
def shares_out(model, dataset, settings):
    for _ in range(6):
        if os.fork() == 0:
            kept = os.urandom(1 << 20) * 48
            time.sleep(600)
    time.sleep(600)
def forks(model, dataset, settings):
    """A family of two to the tenth, each of which waits: enough to be stopped, and no harm to whoever runs the tests."""
    for _ in range(10): os.fork()
    time.sleep(600)
def prints(model, dataset, settings):
    line = b"::error::" + b"x" * (1 << 20) + b"\n"
    for _ in range(1024): os.write(1, line)
    return counts()
def nothing(model, dataset, settings): return None
def no_shards(model, dataset, settings): return iter(())
def text(model, dataset, settings): return "f1 = 0.99"
def nan(model, dataset, settings): return {**counts(), "seconds": float("nan")}
def negative(model, dataset, settings): return counts(rows=-2)
def more(model, dataset, settings): return {**counts(), "f1": 0.99}
def garbage(model, dataset, settings):
    result().write_bytes(b"\xff not json")
    os._exit(0)
def forged(model, dataset, settings):
    result().write_text('{"counts": {"f1": 1.0}, "versions": {"torch": 7}}')
    os._exit(0)
def huge(model, dataset, settings):
    with result().open("wb") as file: file.truncate(64 << 20)
    os._exit(0)
def linked(model, dataset, settings):
    result().symlink_to("/etc/passwd")
    os._exit(0)
def result(): return Path(sys.argv[1]).with_name("result.json")
def spies(model, dataset, settings):
    wanted = [name for name in os.environ if "SECRET" in name or "TOKEN" in name or "PASSWORD" in name]
    assert not wanted, wanted
    seen = [entry for entry in Path("/proc").glob("[0-9]*/environ") if b"REGISTRY_SECRET=hunter2" in entry.read_bytes()]
    assert not seen, "the parent's environment can be read"
    return counts()
def connects(model, dataset, settings):
    port = int(Path(dataset).with_name("port").read_text())
    socket.create_connection(("127.0.0.1", port), timeout=2)
    return counts()
def rings(model, dataset, settings):
    """Asks at a door of the file system, as one asks an agent for a signature."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(Path(dataset).with_name("door").read_text())
        door.sendall(b"sign this")
    return counts()
def rings_by_a_child(model, dataset, settings):
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, Path(dataset).with_name("door").read_text()], capture_output=True, text=True)
    if done.returncode: raise OSError(done.stderr.splitlines()[-1])
    return counts()
def rings_by_a_thread(model, dataset, settings):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(1) as pool: return pool.submit(rings, model, dataset, settings).result()
def kills_its_parent(model, dataset, settings):
    os.kill(os.getppid(), signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)
def leaves_child(model, dataset, settings):
    code = "import os, time; from pathlib import Path; os.fork() and os._exit(0); os.setsid(); Path({!r}).write_text('x'); time.sleep(2); Path({!r}).write_text('x')"
    place = Path(dataset).parent
    subprocess.Popen([sys.executable, "-c", code.format(str(place / "started"), str(place / "lived"))], start_new_session=True)
    while not (place / "started").exists(): time.sleep(0.02)
    return counts()
def edits_itself(model, dataset, settings):
    Path(__file__).write_text(Path(__file__).read_text() + "\n# edited")
    return counts()
def writes_elsewhere(model, dataset, settings):
    target = Path(dataset).with_name("target").read_text()
    Path(target or Path(model) / "MLmodel").write_text("PATH=/evil")
    return counts()
def writes_much(model, dataset, settings):
    with open("big", "wb") as file:
        for _ in range(200): file.write(bytes(1 << 24))
    return counts()

def block(rows=100, start=0, **given):
    """Rows with the numbers from ``start`` on, of which every tenth is told wrongly."""
    index = list(range(start, start + rows))
    truth = [one % 3 == 0 for one in index]
    said = [one ^ (number % 10 == 0) for one, number in zip(truth, index)]
    return {"schema": "promotion/outcomes/v1", "positive": "attack", "labels": ["benign", "attack"], "seconds": 0.125, "index": index,
            "truth": list(map(int, truth)), "class": ["DDoS" if one else "BENIGN" for one in truth],
            "parts": {"model": {"predicted": list(map(int, said)), "score": [0.9 if one else 0.1 for one in said]}},
            "values": {"router.tabular": [0.25] * rows}, **given}

def by_row(model, dataset, settings):
    for start in (0, 100, 200): yield block(start=start)
def by_row_slowly(model, dataset, settings):
    for start in (0, 100, 200):
        yield block(start=start)
        time.sleep(1.1)
def by_row_at_once(model, dataset, settings): return block(rows=300)
def by_row_of_many(model, dataset, settings): yield from (block(rows=8192, start=start) for start in range(0, 163840, 8192))
def by_row_odd(model, dataset, settings):
    yield block()
    yield block(truth=[7] * 100)
def by_row_forged(model, dataset, settings):
    import base64, json, zlib
    result().write_text(json.dumps({"counts": counts(), "versions": {}, "replicates": base64.b64encode(zlib.compress(b"{}\n")).decode()}))
    os._exit(0)
def by_row_bomb(model, dataset, settings):
    import base64, json, zlib
    result().write_text(json.dumps({"counts": counts(), "versions": {}, "replicates": base64.b64encode(zlib.compress(bytes(1 << 28))).decode()}))
    os._exit(0)
