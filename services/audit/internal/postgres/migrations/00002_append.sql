-- +goose Up
-- +goose StatementBegin
-- Entries are added by the function append_entries and in no other way. The service's role may call it and read; it may
-- not insert. The function takes leaves alone: it derives the position, the columns and the hashes itself, so that no call
-- can store something that does not fit together, and a wrong call is refused and changes nothing.
REVOKE INSERT ON entries, hashes FROM audit_app;
-- The tables of later migrations are only readable too, unless they say otherwise.
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE INSERT ON TABLES FROM audit_app;
-- By default every role may call a function.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Events of accounts, and of readers of this log, are about no task.
ALTER TABLE entries ALTER COLUMN task_id DROP NOT NULL;

-- The row that makes appends serial. The service's role cannot lock it by itself, because that needs the right to update.
CREATE TABLE append_turn (one boolean PRIMARY KEY DEFAULT true CHECK (one));
INSERT INTO append_turn DEFAULT VALUES;
REVOKE ALL ON append_turn FROM audit_app;

-- stored_hashes returns the number of hashes that a tree of n leaves stores, and so the index of the hash of leaf n
-- (tlog.StoredHashCount, tlog.StoredHashIndex). The node at level l over the leaves up to m has the index
-- stored_hashes(m) + l.
CREATE FUNCTION stored_hashes(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    count bigint := 0;
BEGIN
    WHILE n > 0 LOOP
        count := count + n;
        n := n >> 1;
    END LOOP;
    RETURN count;
END $$;

-- uuid_of returns the UUID of a JSON value, NULL where the value is absent, null or empty.
CREATE FUNCTION uuid_of(value text, name text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    id uuid;
BEGIN
    IF value IS NULL OR value IN ('null', '""') THEN
        RETURN NULL;
    END IF;
    id := trim(BOTH '"' FROM value)::uuid;
    IF lower(value) <> '"' || id::text || '"' THEN -- the cast takes other forms too
        RAISE EXCEPTION '% is not a UUID', name USING ERRCODE = 'data_exception';
    END IF;
    RETURN id;
END $$;

-- integer_of returns the integer of a JSON value, 0 where it is absent or null, and NULL where it is another value.
CREATE FUNCTION integer_of(value text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF value IS NULL OR value = 'null' THEN
        RETURN 0;
    ELSIF value ~ '^-?(0|[1-9][0-9]*)$' AND length(value) <= 20 AND value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        RETURN value::bigint;
    END IF;
    RETURN NULL;
END $$;

-- time_of returns the time of a JSON value in the form of RFC 3339, cut to microseconds. In the original form of events a
-- time may have no zone, and is in UTC.
CREATE FUNCTION time_of(value text, original boolean) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    stamp text := trim(BOTH '"' FROM value);
BEGIN
    IF original AND stamp ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?$' THEN
        stamp := stamp || 'Z';
    END IF;
    -- The cast takes words too, and lets an hour of 24 and a second of 60 roll over.
    IF stamp IS NULL OR stamp !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$' THEN
        RAISE EXCEPTION 'the timestamp of the event is not a time' USING ERRCODE = 'data_exception';
    END IF;
    RETURN regexp_replace(stamp, '(\.[0-9]{6})[0-9]+', '\1')::timestamptz; -- the cast would round
END $$;

-- entry_of derives the columns of an entry from its leaf, as the service does when it reads the leaf again: a header with
-- recorded_at, then the event. It accepts no form that another reader could read in another way: no name twice or in
-- another case, no time that rolls over.
CREATE FUNCTION entry_of(
    leaf bytea, OUT event_id uuid, OUT user_id uuid, OUT task_id uuid, OUT event_type text, OUT task_version bigint,
    OUT seq bigint, OUT occurred_at timestamptz, OUT recorded_at timestamptz, OUT actor text, OUT event jsonb
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    names CONSTANT text[] := '{event_id,event_type,task_id,user_id,timestamp,task_version,seq,actor,schema_version}';
    content text;
    stamp text;
    has record; -- the members of the event as they are written, and how many have a name of these, or one like it
BEGIN
    IF leaf IS NULL OR length(leaf) > 4194304 THEN -- the sidecar accepts no larger event
        RAISE EXCEPTION 'the leaf is missing or larger than 4 MiB' USING ERRCODE = 'data_exception';
    END IF;
    content := convert_from(leaf, 'UTF8');
    stamp := substr(content, 37, 27);
    IF left(content, 36) <> E'taskwire-audit-entry/v1\nrecorded_at ' OR substr(content, 64, 2) <> E'\n\n' THEN
        RAISE EXCEPTION 'the leaf has no header' USING ERRCODE = 'data_exception';
    END IF;
    recorded_at := stamp::timestamptz;
    IF to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') IS DISTINCT FROM stamp THEN
        RAISE EXCEPTION 'recorded_at is not a time' USING ERRCODE = 'data_exception';
    END IF;

    event := substr(content, 66)::jsonb;
    IF jsonb_typeof(event) <> 'object' THEN
        RAISE EXCEPTION 'the event is not an object' USING ERRCODE = 'data_exception';
    END IF;
    -- jsonb keeps neither the form of a number nor a name that comes twice. A reader that ignores case also takes the long
    -- s and the Kelvin sign for letters.
    SELECT max(value::text) FILTER (WHERE key = 'event_id') AS event_id, max(value::text) FILTER (WHERE key = 'event_type') AS event_type,
        max(value::text) FILTER (WHERE key = 'task_id') AS task_id, max(value::text) FILTER (WHERE key = 'user_id') AS user_id,
        max(value::text) FILTER (WHERE key = 'timestamp') AS "timestamp", max(value::text) FILTER (WHERE key = 'task_version') AS task_version,
        max(value::text) FILTER (WHERE key = 'seq') AS seq, max(value::text) FILTER (WHERE key = 'actor') AS actor,
        max(value::text) FILTER (WHERE key = 'schema_version') AS schema_version,
        count(*) FILTER (WHERE lower(translate(key, U&'\017F\212A', 'sk')) = ANY (names)) AS named
    INTO has FROM json_each(substr(content, 66)::json);
    IF has.named <> num_nonnulls(has.event_id, has.event_type, has.task_id, has.user_id, has."timestamp", has.task_version, has.seq, has.actor, has.schema_version) THEN
        RAISE EXCEPTION 'the event names a field twice' USING ERRCODE = 'data_exception';
    END IF;

    event_id := public.uuid_of(has.event_id, 'event_id');
    user_id := public.uuid_of(has.user_id, 'user_id');
    task_id := public.uuid_of(has.task_id, 'task_id');
    event_type := event ->> 'event_type';
    IF event_id IS NULL OR user_id IS NULL OR coalesce(event_type, '') = '' OR jsonb_typeof(event -> 'event_type') <> 'string' THEN
        RAISE EXCEPTION 'the event lacks its id, its user or its type' USING ERRCODE = 'data_exception';
    END IF;
    occurred_at := public.time_of(has."timestamp", coalesce(public.integer_of(has.schema_version), 2) <= 1);
    task_version := public.integer_of(has.task_version);
    seq := public.integer_of(has.seq);
    actor := event ->> 'actor';
    IF task_version IS NULL OR seq IS NULL OR jsonb_typeof(event -> 'actor') NOT IN ('string', 'null') THEN
        task_version := 0; -- an event of a later version may have other types
        seq := 0;
        actor := NULL;
    END IF;
    actor := coalesce(nullif(actor, ''), user_id::text); -- without an actor it was the user
END $$;

-- append_entries adds the entries of those leaves whose event is not in the log yet, in their order, and returns them. It
-- is serial across all callers, and adds the hashes of the tree (RFC 6962, 2.1) in the same transaction.
CREATE FUNCTION append_entries(leaves bytea[]) RETURNS TABLE ("position" bigint, event_id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off -- never read the whole log, whatever a plan assumes
AS $$
#variable_conflict use_column
DECLARE
    size bigint;
    frontier bytea[]; -- by level + 1: the roots of the complete subtrees, one for each bit of size
    added bytea[] := '{}';
    level int;
    node bytea;
    entry record;
BEGIN
    IF cardinality(leaves) > 256 OR array_ndims(leaves) > 1 THEN
        RAISE EXCEPTION 'more than 256 leaves' USING ERRCODE = 'data_exception';
    END IF;
    PERFORM one FROM public.append_turn FOR UPDATE;
    SELECT coalesce(max(e."position") + 1, 0) INTO size FROM public.entries e;
    FOR level IN 0..62 LOOP
        EXIT WHEN size >> level = 0;
        CONTINUE WHEN (size >> level) & 1 = 0;
        SELECT hash INTO node FROM public.hashes WHERE index = public.stored_hashes(((size >> level) << level) - 1) + level;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a hash of the tree of % entries is missing', size USING ERRCODE = 'data_corrupted';
        END IF;
        frontier[level + 1] := node;
    END LOOP;

    FOR entry IN
        WITH parsed AS MATERIALIZED (
            SELECT l.leaf, l.number, e.* FROM unnest(leaves) WITH ORDINALITY AS l (leaf, number), public.entry_of(l.leaf) AS e
        ), fresh AS (
            SELECT DISTINCT ON (p.event_id) p.* FROM parsed p
            LEFT JOIN LATERAL (SELECT true AS known FROM public.entries k WHERE k.event_id = p.event_id LIMIT 1) k ON true
            WHERE k.known IS NULL
            ORDER BY p.event_id, p.number
        ), inserted AS (
            INSERT INTO public.entries AS i (position, event_id, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash)
            SELECT size + row_number() OVER (ORDER BY f.number) - 1, f.event_id, f.user_id, f.task_id, f.event_type, f.task_version, f.seq,
                f.occurred_at, f.recorded_at, f.actor, f.event, f.leaf, sha256('\x00'::bytea || f.leaf)
            FROM fresh f
            RETURNING i.position, i.event_id, i.leaf_hash
        )
        SELECT * FROM inserted ORDER BY inserted.position
    LOOP
        node := entry.leaf_hash;
        added := added || node;
        level := 0;
        WHILE (entry.position >> level) & 1 = 1 LOOP
            node := sha256('\x01'::bytea || frontier[level + 1] || node);
            added := added || node;
            level := level + 1;
        END LOOP;
        frontier[level + 1] := node;
        append_entries.position := entry.position;
        append_entries.event_id := entry.event_id;
        RETURN NEXT;
    END LOOP;
    INSERT INTO public.hashes (index, hash)
    SELECT public.stored_hashes(size) + number - 1, hash FROM unnest(added) WITH ORDINALITY AS h (hash, number);
END $$;

REVOKE ALL ON FUNCTION stored_hashes(bigint), uuid_of(text, text), integer_of(text), time_of(text, boolean), entry_of(bytea), append_entries(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_entries(bytea[]) TO audit_app;
-- +goose StatementEnd
-- There is no Down: a migration must not remove the log.
