"""Follows call records on the reporting node, and judges what arrived.

follow.py watch TARGET_URL CALLS FILE                     writes {id, rev, arrived} per change until each call is there
follow.py judge SOURCE_URL TARGET_URL CALLS FILE [DOWN UP]  exits with 1 and says why when a call is late, lost or twice
"""

import collections
import json
import os
import sys
import time
import urllib.request

# Seconds from a call's end until its record must be on the reporting node.
LATE_SECONDS = 1.0
# The same after the collecting node came back: Kamailio's queue drains one record at a time, and the reporting node is
# between two attempts.
CATCH_UP_SECONDS = 10.0
# Seconds without any news after which the watch ends.
SILENCE_SECONDS = 20.0


def rows(url):
    """Each change of a database as it comes, and None when the feed only shows that it lives."""
    feed = urllib.request.urlopen(f"{url}/_changes?feed=continuous&heartbeat=500&since=0", timeout=30)
    for line in feed:
        yield json.loads(line) if line.strip() else None


def watch(url, calls, path):
    seen, news = set(), time.monotonic()
    with open(path, "w", encoding="utf-8") as out:
        for row in rows(url):
            arrived = time.time()
            if row is None:
                if time.monotonic() - news > SILENCE_SECONDS:
                    break
                # Everything is there; what comes within a heartbeat more would be a repetition.
                if len(seen) >= calls and time.monotonic() - news > 1.5:
                    break
                continue
            news = time.monotonic()
            out.write(json.dumps({"id": row["id"], "rev": row["changes"][0]["rev"], "arrived": arrived}) + "\n")
            out.flush()
            if row["id"].startswith("cdr-"):
                seen.add(row["id"])


def documents(url):
    with urllib.request.urlopen(f"{url}/_all_docs?include_docs=true&conflicts=true", timeout=30) as answer:
        return {row["id"]: row["doc"] for row in json.load(answer)["rows"]}


def judge(source_url, target_url, calls, path, down=None, up=None):
    source, target = documents(source_url), documents(target_url)
    with open(path, encoding="utf-8") as lines:
        arrivals = [json.loads(line) for line in lines]
    faults = []
    if source != target:
        faults.append(f"the nodes differ: {len(source)} and {len(target)} documents")
    cdrs = [doc for doc in target.values() if doc["pvt_type"] == "cdr"]
    if len(cdrs) != calls:
        faults.append(f"{len(cdrs)} call records for {calls} calls")
    times = collections.Counter(doc["call_id"] for doc in cdrs)
    faults += [f"{call} is there {count} times" for call, count in times.items() if count > 1]
    times = collections.Counter((row["id"], row["rev"]) for row in arrivals)
    faults += [f"{name} arrived {count} times" for name, count in times.items() if count > 1]
    faults += [f"{doc['_id']} has another revision: {doc['_rev']}" for doc in target.values() if not doc["_rev"].startswith("1-")]
    faults += [f"{doc['_id']} has conflicts" for doc in target.values() if "_conflicts" in doc]
    arrived = {row["id"]: row["arrived"] for row in arrivals}
    ended = {doc["_id"]: float(doc["end_time"]) for doc in cdrs}
    lags, caught_up = [], []
    for name, end in ended.items():
        if name not in arrived:
            faults.append(f"{name} was never announced")
        elif down and down - LATE_SECONDS < end < up + CATCH_UP_SECONDS:
            caught_up.append(arrived[name] - max(end, up))
        else:
            lags.append(arrived[name] - end)
    late = [lag for lag in lags if lag > LATE_SECONDS]
    if late:
        faults.append(f"{len(late)} records came later than {LATE_SECONDS} s after their call, the last {max(late):.2f} s")
    if caught_up and max(caught_up) > CATCH_UP_SECONDS:
        faults.append(f"the last record came {max(caught_up):.2f} s after the node was back")
    lags.sort()
    if lags:
        print(f"   {len(lags)} calls: record on the reporting node {lags[len(lags) // 2] * 1000:.0f} ms (median), {lags[-1] * 1000:.0f} ms (latest) after the call's end")
    if caught_up:
        print(f"   {len(caught_up)} calls ended around the pause: all there {max(caught_up):.2f} s after the node was back")
    print(f"   {len(target)} documents on both nodes, {len(cdrs)} calls, none lost, none twice" if not faults else "   FAULTS:")
    for fault in faults[:20]:
        print("   " + fault)
    return 1 if faults else 0


if __name__ == "__main__":
    if sys.argv[1] == "watch":
        watch(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        # The feed is still open; nothing is left to be written.
        os._exit(0)
    source, target, calls, path, *pause = sys.argv[2:]
    sys.exit(judge(source, target, int(calls), path, *map(float, pause)))
