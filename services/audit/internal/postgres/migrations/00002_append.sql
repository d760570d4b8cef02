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

-- refuse refuses a call. A condition in a query can call it.
CREATE FUNCTION refuse(reason text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'data_exception';
END $$;

-- The functions in SQL have the form that Postgres expands where they are called: a call for each value would take longer
-- than the work in it.

-- stored_hashes returns the number of hashes that a tree of n leaves stores, n + n/2 + n/4 and so on, and so the index of the
-- hash of leaf n (tlog.StoredHashCount, tlog.StoredHashIndex). The node at level l over the leaves up to m has the index
-- stored_hashes(m) + l.
CREATE FUNCTION stored_hashes(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 2 * n - bit_count(n::bit(64)) $$;

-- uuid_of returns the UUID of a JSON value, NULL where the value is absent, null or empty.
CREATE FUNCTION uuid_of(value text, name text) RETURNS uuid LANGUAGE sql AS $$
    SELECT CASE
        WHEN value IS NULL OR value IN ('null', '""') THEN NULL
        WHEN lower(value COLLATE "C") = '"' || trim(BOTH '"' FROM value)::uuid::text || '"' -- the cast takes other forms too
            THEN trim(BOTH '"' FROM value)::uuid
        WHEN public.refuse(name || ' is not a UUID') THEN NULL
    END $$;

-- integer_of returns the integer of a JSON value, 0 where it is absent or null, and NULL where it is another value.
CREATE FUNCTION integer_of(value text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN value IS NULL OR value = 'null' THEN 0
        WHEN length(value) > 20 OR value !~ '^-?(0|[1-9][0-9]*)$' THEN NULL
        WHEN value::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN value::bigint
    END $$;

-- time_of returns the time of a JSON value in the form of RFC 3339, cut to microseconds. In the original form of events a
-- time may have no zone, and is in UTC. The cast takes words too, lets an hour of 24 and a second of 60 roll over, and would
-- round.
CREATE FUNCTION time_of(value text, original boolean) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT CASE
        WHEN value ~ '^"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"$'
            THEN regexp_replace(trim(BOTH '"' FROM value), '(\.[0-9]{6})[0-9]+', '\1')::timestamptz
        WHEN original AND value ~ '^"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"$'
            THEN (regexp_replace(trim(BOTH '"' FROM value), '(\.[0-9]{6})[0-9]+', '\1') || 'Z')::timestamptz
        WHEN public.refuse('the timestamp of the event is not a time') THEN NULL
    END $$;

-- entries_of derives the columns of entries from their leaves, as the service does when it reads a leaf again: a header with
-- recorded_at, then the event. It accepts no form that another reader could read in another way: no name twice or in
-- another case, no time that rolls over, no nesting that a reader does not follow.
CREATE FUNCTION entries_of(leaves bytea[]) RETURNS TABLE (
    number bigint, leaf bytea, event_id uuid, user_id uuid, task_id uuid, event_type text, task_version bigint,
    seq bigint, occurred_at timestamptz, recorded_at timestamptz, actor text, event jsonb
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH documents AS MATERIALIZED (
        SELECT l.number, l.leaf, convert_from(substr(l.leaf, 37, 27), 'UTF8') AS stamp, convert_from(substr(l.leaf, 66), 'UTF8') AS content
        FROM unnest(leaves) WITH ORDINALITY AS l (leaf, number)
        WHERE CASE
            WHEN l.leaf IS NULL OR length(l.leaf) > 4194304 -- the sidecar accepts no larger event
                THEN public.refuse('the leaf is missing or larger than 4 MiB')
            WHEN substr(l.leaf, 1, 36) <> convert_to(E'taskwire-audit-entry/v1\nrecorded_at ', 'UTF8') OR substr(l.leaf, 64, 2) <> '\x0a0a'::bytea
                THEN public.refuse('the leaf has no header')
            ELSE true END
    ), members AS MATERIALIZED (
        -- The members of the event as they are written, and how many have a name of these, or one like it: jsonb keeps
        -- neither the form of a number nor a name that comes twice. A reader that ignores case also takes the long s and
        -- the Kelvin sign for letters.
        SELECT d.number, d.leaf, d.stamp, d.stamp::timestamptz AS recorded_at, d.content::jsonb AS event, has.*
        FROM documents d CROSS JOIN LATERAL (
            SELECT max(m.value::text) FILTER (WHERE m.key = 'event_id') AS event_id, max(m.value::text) FILTER (WHERE m.key = 'event_type') AS event_type,
                max(m.value::text) FILTER (WHERE m.key = 'task_id') AS task_id, max(m.value::text) FILTER (WHERE m.key = 'user_id') AS user_id,
                max(m.value::text) FILTER (WHERE m.key = 'timestamp') AS "timestamp", max(m.value::text) FILTER (WHERE m.key = 'task_version') AS task_version,
                max(m.value::text) FILTER (WHERE m.key = 'seq') AS seq, max(m.value::text) FILTER (WHERE m.key = 'actor') AS actor,
                max(m.value::text) FILTER (WHERE m.key = 'schema_version') AS schema_version, count(*) AS named
            FROM json_each(d.content::json) m
            WHERE lower(translate(m.key, U&'\017F\212A', 'sk') COLLATE "C")
                IN ('event_id', 'event_type', 'task_id', 'user_id', 'timestamp', 'task_version', 'seq', 'actor', 'schema_version')
        ) has
    ), typed AS MATERIALIZED (
        SELECT m.number, m.leaf, m.stamp, m.named <> num_nonnulls(m.event_id, m.event_type, m.task_id, m.user_id, m."timestamp", m.task_version, m.seq, m.actor, m.schema_version) AS twice,
            public.uuid_of(m.event_id, 'event_id') AS event_id, public.uuid_of(m.user_id, 'user_id') AS user_id, public.uuid_of(m.task_id, 'task_id') AS task_id,
            m.event ->> 'event_type' AS event_type, jsonb_typeof(m.event -> 'event_type') AS event_type_is,
            public.integer_of(m.task_version) AS task_version, public.integer_of(m.seq) AS seq,
            public.time_of(m."timestamp", coalesce(public.integer_of(m.schema_version), 2) <= 1) AS occurred_at,
            m.recorded_at, nullif(m.event ->> 'actor', '') AS actor, jsonb_typeof(m.event -> 'actor') AS actor_is, m.event
        FROM members m
    )
    SELECT t.number, t.leaf, t.event_id, t.user_id, t.task_id, t.event_type,
        -- An event of a later version may have other types.
        CASE WHEN known THEN t.task_version ELSE 0 END, CASE WHEN known THEN t.seq ELSE 0 END,
        t.occurred_at, t.recorded_at,
        coalesce(CASE WHEN known THEN t.actor END, t.user_id::text), -- without an actor it was the user
        t.event
    FROM typed t CROSS JOIN LATERAL (
        SELECT t.task_version IS NOT NULL AND t.seq IS NOT NULL AND coalesce(t.actor_is, 'null') IN ('string', 'null') AS known
    ) k
    WHERE CASE
        WHEN to_char(t.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') IS DISTINCT FROM t.stamp
            THEN public.refuse('recorded_at is not a time')
        WHEN t.twice
            THEN public.refuse('the event names a field twice')
        WHEN t.event_id IS NULL OR t.user_id IS NULL OR coalesce(t.event_type, '') = '' OR t.event_type_is <> 'string'
            THEN public.refuse('the event lacks its id, its user or its type')
        WHEN t.occurred_at >= '10000-01-01T00:00:00Z' -- in UTC it has no form of RFC 3339
            THEN public.refuse('the timestamp of the event is too late')
        WHEN length(t.leaf) > 2000 AND t.event @? '$.**{1000}' -- encoding/json reads 10,000 levels, others about 1,000
            THEN public.refuse('the event is nested too deeply')
        ELSE true END;
END $$;

-- append_entries adds the entries of those leaves whose event is not in the log yet, in their order, and returns them. It
-- is serial across all callers, and adds the hashes of the tree (RFC 6962, 2.1) in the same transaction.
CREATE FUNCTION append_entries(leaves bytea[]) RETURNS TABLE ("position" bigint, event_id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off -- never read the whole log, whatever a plan assumes
SET plan_cache_mode = force_generic_plan SET jit = off -- planning and compiling take longer than running
AS $$
#variable_conflict use_column
DECLARE
    size bigint;
    ids uuid[]; -- of the entries that were added
    nodes bytea; -- the new hashes of a level, one after another
    first bigint; -- the place of the first of them in its level
    count bigint;
    level int := 0;
    sibling bytea;
BEGIN
    IF cardinality(leaves) > 256 OR array_ndims(leaves) > 1 THEN
        PERFORM public.refuse('more than 256 leaves');
    END IF;
    PERFORM one FROM public.append_turn FOR UPDATE;
    SELECT coalesce(max(e."position") + 1, 0) INTO size FROM public.entries e;

    WITH parsed AS MATERIALIZED (
        SELECT * FROM public.entries_of(leaves)
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
    SELECT array_agg(i.event_id ORDER BY i.position), string_agg(i.leaf_hash, '' ORDER BY i.position), count(*)
    INTO ids, nodes, count FROM inserted i;
    RETURN QUERY SELECT size + number - 1, id FROM unnest(ids) WITH ORDINALITY AS a (id, number);

    first := size;
    WHILE count > 0 LOOP
        INSERT INTO public.hashes (index, hash)
        SELECT public.stored_hashes(((first + k + 1) << level) - 1) + level, substr(nodes, 32 * k + 1, 32) FROM generate_series(0, count::int - 1) AS k;
        IF first & 1 = 1 THEN -- the first is a right child
            SELECT hash INTO sibling FROM public.hashes WHERE index = public.stored_hashes((first << level) - 1) + level;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'a hash of the tree of % entries is missing', size USING ERRCODE = 'data_corrupted';
            END IF;
            nodes := sibling || nodes;
            count := count + 1;
        END IF;
        first := first >> 1;
        count := count >> 1;
        level := level + 1;
        SELECT string_agg(sha256('\x01'::bytea || substr(nodes, 64 * k + 1, 64)), '' ORDER BY k) INTO nodes FROM generate_series(0, count::int - 1) AS k;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION refuse(text), stored_hashes(bigint), uuid_of(text, text), integer_of(text), time_of(text, boolean), entries_of(bytea[]), append_entries(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_entries(bytea[]) TO audit_app;
-- +goose StatementEnd
-- There is no Down: a migration must not remove the log.
