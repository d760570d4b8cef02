"""Prints the first occurrences of each VTODO of an iCalendar file as python-icalendar and python-dateutil read them: one JSON object a line."""

import datetime
import json
import sys

from dateutil import rrule, tz
from icalendar import Calendar

WANTED = 12
path = sys.argv[1]
zones = tz.tzical(path)


def moment(prop):
    """The value of DTSTART, DUE or EXDATE, with the zone that the file itself defines."""
    value = prop.dt
    if not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    if "TZID" in prop.params:
        return value.replace(tzinfo=zones.get(prop.params["TZID"]))
    return value.astimezone(tz.UTC)


def text(value):
    if value.tzinfo is None:
        return value.strftime("%Y-%m-%d")
    return tz.resolve_imaginary(value).astimezone(tz.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


with open(path, "rb") as file:
    calendar = Calendar.from_ical(file.read())
for todo in calendar.walk("VTODO"):
    series = rrule.rruleset()
    series.rrule(rrule.rrulestr(todo["RRULE"].to_ical().decode(), dtstart=moment(todo["DTSTART"])))
    exceptions = todo.get("EXDATE", [])
    for exception in exceptions if isinstance(exceptions, list) else [exceptions]:
        for one in exception.dts:
            one.params = exception.params
            series.exdate(moment(one))
    occurrences = [text(one) for _, one in zip(range(WANTED), series)]
    due = todo.get("DUE")
    print(json.dumps({"uid": str(todo["UID"]), "summary": str(todo["SUMMARY"]), "status": str(todo["STATUS"]),
                      "due": due and text(moment(due)), "occurrences": occurrences}, ensure_ascii=False))
