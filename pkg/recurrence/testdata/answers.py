"""Writes answers.jsonl.gz: what python-dateutil and zoneinfo say about random series.

    pip install python-dateutil==2.9.0.post0
    python3 answers.py            # 10,000 series, some minutes

The answers are independent of the Go code. Dates come from dateutil.rrule and dateutil.relativedelta, instants from zoneinfo and
dateutil.tz.resolve_imaginary. Only what RFC 5545 leaves to this project is written out here:

  - the first task counts as occurrence 1, whether the rule names its day or not;
  - anchor "schedule": the successor is the first date that is neither left out nor, with catch_up "next", over;
  - anchor "completion": see completion().

Series lie between 1990 and 2024, because the time zone rules of later years can still change. A series of which the next
occurrence is later stops there.

A line is a series, and one step for each task that is completed:

    {"rule", "zone", "anchor", "catch_up", "exdates", "start", "due", "remind",
     "steps": [{"done": when, "no": its number in the rule, "start", "due", "remind"} or {"done": when, "end": true}]}

or, under "far", a rule that occurs rarely or never, and its next date up to the year 9999:

    {"rule", "from", "next": date or null}
"""

import datetime as dt
import gzip
import itertools
import json
import random
from zoneinfo import ZoneInfo

from dateutil import relativedelta, rrule, tz

SERIES, FAR = 10_000, 400
LAST_DAY = dt.date(2024, 12, 1)
ZONES = """UTC America/New_York America/Los_Angeles America/Sao_Paulo America/Santiago America/St_Johns America/Havana
    Europe/Berlin Europe/London Europe/Moscow Europe/Istanbul Africa/Cairo Africa/Casablanca Asia/Tehran Asia/Kolkata
    Asia/Kathmandu Asia/Amman Australia/Lord_Howe Pacific/Auckland Pacific/Chatham""".split()
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]  # by date.weekday()
FREQ = {"DAILY": rrule.DAILY, "WEEKLY": rrule.WEEKLY, "MONTHLY": rrule.MONTHLY, "YEARLY": rrule.YEARLY}
UTC = dt.timezone.utc
rnd = random.Random(5545)


# Rules


def signed(hi):
    return rnd.randint(1, hi) * rnd.choice([1, -1])


def some(make, most=4):
    """Some distinct values, in any order."""
    return list(dict.fromkeys(make() for _ in range(rnd.randint(1, most))))


def random_rule():
    """A rule of the subset as a dictionary of lists, without COUNT and UNTIL."""
    freq = rnd.choice(list(FREQ))
    rule = {"FREQ": freq, "INTERVAL": rnd.choice([1, 1, 1, 2, 3, rnd.randint(1, 12)]), "WKST": rnd.choice(["MO", "MO", "SU", rnd.choice(DAYS)])}
    if rnd.random() < 0.25:
        rule["BYMONTH"] = some(lambda: rnd.randint(1, 12))
    if freq != "WEEKLY" and rnd.random() < 0.3:
        rule["BYMONTHDAY"] = some(lambda: signed(31))
    if freq == "YEARLY" and rnd.random() < 0.15:
        rule["BYYEARDAY"] = some(lambda: signed(366))
    if rnd.random() < 0.45:
        # All with a number or none: for a mix, dateutil wants days that match both kinds.
        if freq in ("MONTHLY", "YEARLY") and rnd.random() < 0.5:
            rule["BYDAY"] = some(lambda: f"{signed(5)}{rnd.choice(DAYS)}")
        else:
            rule["BYDAY"] = some(lambda: rnd.choice(DAYS), 7)
    if names_dates(rule) and rnd.random() < 0.2:
        rule["BYSETPOS"] = some(lambda: signed(4))
    return rule


def text(rule):
    parts = []
    for name, value in rule.items():
        if name == "INTERVAL" and value == 1 or name == "WKST" and value == "MO":
            continue
        parts.append(f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}")
    return ";".join(parts)


def names_days(rule):
    return any(k in rule for k in ("BYMONTHDAY", "BYYEARDAY", "BYDAY"))


def names_dates(rule):
    return names_days(rule) or rule["FREQ"] == "YEARLY" and "BYMONTH" in rule


def dates(rule, start, interval=None, last=LAST_DAY, **defaults):
    """The dates of the rule from start up to last. dateutil leaves out the days of the first week before its start, so a WEEKLY
    rule begins with that week and says its weekday."""
    r = {**defaults, **rule, "INTERVAL": interval or rule["INTERVAL"]}
    begin = start
    if r["FREQ"] == "WEEKLY":
        r.setdefault("BYDAY", [DAYS[start.weekday()]])
        begin = first_of_period(r, start)
    r.pop("COUNT", None)
    r["UNTIL"] = last.strftime("%Y%m%d")
    found = rrule.rrulestr(text(r), dtstart=dt.datetime.combine(begin, dt.time()))
    return (d.date() for d in found)


def first_of_period(rule, d):
    if rule["FREQ"] == "DAILY":
        return d
    if rule["FREQ"] == "WEEKLY":
        return d - dt.timedelta(days=(d.weekday() - DAYS.index(rule["WKST"])) % 7)
    return d.replace(day=1, month=d.month if rule["FREQ"] == "MONTHLY" else 1)


def completion(rule, base, done):
    """The dates after the occurrence of the day base, which was done on another day, with anchor "completion", up to LAST_DAY.

    A rule that names no days is an interval from the day of completion; a shorter month has its last day. Else INTERVAL=1 gives
    the dates of the rule after both days. A longer interval gives the rest of the period that has both days, and then every n-th
    period after that of the completion. Dates up to base never come again."""
    n, after = rule["INTERVAL"], max(base, done)
    if not names_dates(rule):
        unit = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months", "YEARLY": "years"}[rule["FREQ"]]
        for k in itertools.count(1):
            d = done + relativedelta.relativedelta(**{unit: n * k})
            if d > LAST_DAY:
                return
            if d > after and ("BYMONTH" not in rule or d.month in rule["BYMONTH"]):
                yield d
    defaults = {} if names_days(rule) else {"BYMONTHDAY": [base.day]}
    period = first_of_period(rule, done)
    if n == 1:
        yield from (d for d in dates(rule, period, **defaults) if d > after)
        return
    if first_of_period(rule, base) == period:
        for d in dates(rule, period, interval=1, **defaults):
            if first_of_period(rule, d) != period:
                break
            if d > after:
                yield d
    for d in dates(rule, period, **defaults):
        if first_of_period(rule, d) > period and d > base:
            yield d


# Times


def instant(zone, wall):
    """The instant of a wall-clock time: later by the gap if it does not exist, and the first if it exists twice."""
    return tz.resolve_imaginary(wall.replace(tzinfo=ZoneInfo(zone), fold=0)).astimezone(UTC)


def written(value):
    return value.isoformat() if not isinstance(value, dt.datetime) else value.strftime("%Y-%m-%dT%H:%MZ")


class Moment:
    """A day, or a day with a time of day, some days away from the date of the rule."""

    def __init__(self, days, clock=None):
        self.days, self.clock = days, clock

    def on(self, d, zone):
        d += dt.timedelta(days=self.days)
        return d if self.clock is None else instant(zone, dt.datetime.combine(d, self.clock))

    def over(self, d, zone, now):
        at = self.on(d, zone)
        return at <= now if self.clock else at < now.astimezone(ZoneInfo(zone)).date()


def random_clock():
    """Often in the hours in which clocks change."""
    hour = rnd.choice([0, 0, 1, 2, 2, 3, rnd.randint(0, 23), rnd.randint(0, 23)])
    return dt.time(hour, rnd.choice([0, 15, 30, 45]))


def random_moments(d, zone):
    """The start, the due date and the reminder of a task whose rule counts from d. A start is not later than its due date."""
    while True:
        start = due = None
        kind = rnd.choice(["due", "due", "start", "both"])
        if kind != "due":
            start = Moment(0, random_clock() if rnd.random() < 0.6 else None)
        if kind != "start":
            due = Moment(0 if kind == "due" else rnd.choice([0, 0, 1, 2, 9]), random_clock() if rnd.random() < 0.6 else None)
        remind = Moment(rnd.choice([0, 0, -1, -3]), random_clock()) if rnd.random() < 0.4 else None
        given = [m for m in (start, due, remind) if m]
        if any(m.clock and not tz.datetime_exists(dt.datetime.combine(d + dt.timedelta(days=m.days), m.clock), ZoneInfo(zone)) for m in given):
            continue
        if start and due and due.days == 0 and start.clock and due.clock and due.clock < start.clock:
            continue
        return start, due, remind


def times(d, zone, start, due, remind):
    out = {name: m.on(d, zone) for name, m in (("start", start), ("due", due), ("remind", remind)) if m}
    if start and due and start.clock and due.clock:
        out["due"] = max(out["due"], out["start"])  # a gap moved the start behind the due date
    return {name: written(v) for name, v in out.items()}


# Series


def random_until(base, d):
    """An UNTIL in one of its three forms, and a function that reports whether it permits a date of the rule."""
    last = d + dt.timedelta(days=rnd.randint(0, 1200))
    wall = dt.datetime.combine(last, random_clock())
    form = rnd.choice(["day", "instant", "clock"])
    if form == "day":
        return last.strftime("%Y%m%d"), lambda d, zone: d <= last
    if form == "instant":
        at = wall.replace(tzinfo=UTC)
        value = at.strftime("%Y%m%dT%H%M%SZ")
        return value, lambda d, zone: base.on(d, zone) <= (at if base.clock else at.astimezone(ZoneInfo(zone)).date())
    return wall.strftime("%Y%m%dT%H%M%S"), lambda d, zone: base.on(d, zone) <= (instant(zone, wall) if base.clock else last)


def series():
    rule, zone = random_rule(), rnd.choice(ZONES)
    d = dt.date(1990, 1, 1) + dt.timedelta(days=rnd.randrange(25 * 365))
    if rnd.random() < 0.7:  # usually the first task is on a day of the rule
        d = next(dates(rule, d), d)
        if d > dt.date(2016, 1, 1):
            return None
    start, due, remind = random_moments(d, zone)
    base, last = start or due, due or start
    count, allowed = None, lambda d, zone: True
    if rnd.random() < 0.2:
        count = rule["COUNT"] = rnd.choice([1, 2, 3, rnd.randint(1, 40)])
    elif rnd.random() < 0.25:
        rule["UNTIL"], allowed = random_until(base, d)
    anchor, catch_up = rnd.choice(["schedule", "completion"]), rnd.choice(["next", "next", "all"])
    scheduled = (x for x in dates(rule, d) if x > d)
    excluded = set()
    if rnd.random() < 0.25:
        soon = list(itertools.islice(scheduled, 12))
        excluded = set(rnd.sample(soon, min(len(soon), rnd.randint(1, 3))))
        scheduled = itertools.chain(soon, scheduled)
    line = {"rule": text(rule), "zone": zone, "anchor": anchor, "catch_up": catch_up, **times(d, zone, start, due, remind)}
    if excluded:
        line["exdates"] = sorted(map(written, excluded))

    steps, no = [], 1
    while len(steps) < 5:
        end = dt.datetime.combine(d + dt.timedelta(days=last.days), last.clock or dt.time(12), tzinfo=UTC)
        late = rnd.choice([0, 0, rnd.randint(-400, 400), rnd.randint(-3, 30) * 24, rnd.randint(0, 300) * 24])
        done = max(end + dt.timedelta(hours=late, minutes=rnd.randint(0, 59)), dt.datetime(1990, 1, 1, tzinfo=UTC))
        if done.date() > LAST_DAY:
            break
        if anchor == "schedule":
            following = scheduled  # goes on where the step before ended
        else:
            following = completion(rule, d, done.astimezone(ZoneInfo(zone)).date())
        found = None
        for x in following:
            no += 1
            if count and no > count or not allowed(x, zone):
                found = "end"
            elif x in excluded or anchor == "schedule" and catch_up == "next" and last.over(x, zone, done):
                continue
            else:
                found = x
            break
        if found is None:
            break  # the next one is after the last day, or there is none
        step = {"done": written(done)}
        steps.append(step)
        if found == "end":
            step["end"] = True
            break
        d = found
        step.update(no=no, **times(d, zone, start, due, remind))
    line["steps"] = steps
    return line if steps else None


def far():
    """A rule with a long interval that meets its days rarely or never."""
    freq = rnd.choice(list(FREQ))
    rule = {"FREQ": freq, "WKST": "MO"}
    if freq == "DAILY":
        rule["INTERVAL"] = rnd.choice([7 * rnd.randint(1, 40), rnd.randint(200, 1000), 773, 189])
        rule.update(rnd.choice([{"BYDAY": some(lambda: rnd.choice(DAYS), 3)}, {"BYMONTH": [2], "BYMONTHDAY": [29]}, {"BYMONTHDAY": [31], "BYDAY": [rnd.choice(DAYS)]}]))
    elif freq == "WEEKLY":
        rule["INTERVAL"] = rnd.choice([rnd.randint(52, 1000), 773, 27 * rnd.randint(2, 37)])
        rule.update(BYMONTH=[rnd.randint(1, 12)], BYDAY=some(lambda: rnd.choice(DAYS), 3))
        if rnd.random() < 0.3:
            rule["BYSETPOS"] = [len(rule["BYDAY"])]
    elif freq == "MONTHLY":
        rule["INTERVAL"] = rnd.choice([12, 24, 36, 48, 6, 3, 400, 960, 800, rnd.randint(2, 1000)])
        rule.update(rnd.choice([{"BYMONTH": some(lambda: rnd.randint(1, 12), 2)}, {"BYMONTHDAY": [rnd.choice([29, 30, 31])]}, {"BYDAY": [f"5{rnd.choice(DAYS)}"]}]))
    else:
        rule["INTERVAL"] = rnd.choice([4, 8, 20, 40, 100, 200, 400, 28, rnd.randint(2, 1000)])
        rule.update(rnd.choice([{"BYMONTH": [2], "BYMONTHDAY": [29]}, {"BYYEARDAY": [366]}, {"BYMONTH": [2], "BYDAY": [f"5{rnd.choice(DAYS)}"]}, {"BYDAY": [f"53{rnd.choice(DAYS)}"]}]))
    d = dt.date(2000, 1, 1) + dt.timedelta(days=rnd.randrange(9000))
    found = next((x for x in dates(rule, d, last=dt.date(9999, 12, 31)) if x > d), None)
    return {"rule": text(rule), "from": written(d), "next": found and written(found)}


def main():
    with open("answers.jsonl.gz", "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=9, mtime=0, filename="") as out:
        dt.MAXYEAR = LAST_DAY.year  # where dateutil ends its search for a rule that does not occur
        made = 0
        while made < SERIES:
            if line := series():
                out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
                made += 1
        dt.MAXYEAR = 9999
        for _ in range(FAR):
            out.write(json.dumps({"far": far()}, separators=(",", ":")).encode() + b"\n")


main()
