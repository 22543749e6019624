//! Claims and bulk records of the outbox. One parameter carries a JSON list, which each engine
//! unfolds in its own words.

use super::statements;

/// How many times a notice may end in doubt: then it fails. Who waits for it asks again; a relay
/// that always closes after the dot must not have the same mail delivered for days.
pub const DOUBTS_OF_NOTICE_MAX: i64 = 3;
/// The same for a message of an edition whose list resends in doubt: then it is held, for a person
/// to decide. Each doubt may be a copy that arrived.
pub const DOUBTS_OF_DIGEST_MAX: i64 = 6;

statements! {
    CLAIM = {
        sqlite: "UPDATE message SET state = 'sending', attempts = attempts + 1, worker_id = $2
            WHERE id IN (SELECT value FROM json_each($1))",
        postgres: "UPDATE message SET state = 'sending', attempts = attempts + 1, worker_id = $2
            WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))"
    };
    BEGIN_ATTEMPTS = {
        sqlite: "INSERT INTO attempt (message_id, number, worker_id, claimed_at, stage)
            SELECT id, attempts, $2, $3, 'claimed' FROM message
            WHERE id IN (SELECT value FROM json_each($1))",
        postgres: "INSERT INTO attempt (message_id, number, worker_id, claimed_at, stage)
            SELECT id, attempts, $2, $3, 'claimed' FROM message
            WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))"
    };
    BEGIN_CONTENT = {
        sqlite: "UPDATE attempt SET stage = 'content', content_at = $2
            WHERE (message_id, number) IN
                    (SELECT value ->> 0, value ->> 1 FROM json_each($1))
                AND outcome IS NULL
                AND EXISTS (SELECT 1 FROM message m WHERE m.id = attempt.message_id
                    AND m.state = 'sending' AND m.attempts = attempt.number)
            RETURNING message_id",
        postgres: "UPDATE attempt SET stage = 'content', content_at = $2
            FROM (SELECT (value ->> 0)::bigint AS message, (value ->> 1)::bigint AS number
                FROM json_array_elements($1::json)) o
            WHERE attempt.message_id = o.message AND attempt.number = o.number
                AND attempt.outcome IS NULL
                AND EXISTS (SELECT 1 FROM message m WHERE m.id = attempt.message_id
                    AND m.state = 'sending' AND m.attempts = attempt.number)
            RETURNING attempt.message_id"
    };
    END_ATTEMPTS = {
        sqlite: "UPDATE attempt SET ended_at = $2, outcome = o.value ->> 'outcome',
                stage = o.value ->> 'stage', reply_code = o.value ->> 'code',
                reply = o.value ->> 'reply'
            FROM json_each($1) o
            WHERE attempt.message_id = o.value ->> 'message'
                AND attempt.number = o.value ->> 'attempt' AND attempt.outcome IS NULL",
        postgres: "UPDATE attempt SET ended_at = $2, outcome = o.outcome, stage = o.stage,
                reply_code = o.code, reply = o.reply
            FROM json_to_recordset($1::json) AS o (message bigint, attempt bigint, outcome text,
                stage text, code bigint, reply text)
            WHERE attempt.message_id = o.message AND attempt.number = o.attempt
                AND attempt.outcome IS NULL"
    };
    END_SENDING = {
        sqlite: "UPDATE message SET state = o.value ->> 'state', cause = o.value ->> 'cause',
                next_try_at = o.value ->> 'next_try_at', worker_id = NULL,
                ended_at = CASE WHEN o.value ->> 'state' IN ('queued', 'deferred') THEN NULL
                    ELSE $2 END
            FROM json_each($1) o
            WHERE message.id = o.value ->> 'message' AND message.attempts = o.value ->> 'attempt'
                AND message.state = 'sending'",
        postgres: "UPDATE message SET state = o.state, cause = o.cause,
                next_try_at = o.next_try_at, worker_id = NULL,
                ended_at = CASE WHEN o.state IN ('queued', 'deferred') THEN NULL
                    ELSE $2::bigint END
            FROM json_to_recordset($1::json) AS o (message bigint, attempt bigint, state text,
                cause text, next_try_at bigint)
            WHERE message.id = o.message AND message.attempts = o.attempt
                AND message.state = 'sending'"
    };
    END_ATTEMPTS_OF = {
        sqlite: "UPDATE attempt SET ended_at = $2,
                outcome = CASE WHEN stage = 'content' THEN 'in_doubt' ELSE 'released' END
            WHERE (message_id, number) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))
                AND outcome IS NULL AND ($3 = 1 OR stage <> 'content')
            RETURNING message_id, outcome",
        postgres: "UPDATE attempt SET ended_at = $2,
                outcome = CASE WHEN stage = 'content' THEN 'in_doubt' ELSE 'released' END
            FROM (SELECT (value ->> 0)::bigint AS message, (value ->> 1)::bigint AS number
                FROM json_array_elements($1::json)) o
            WHERE attempt.message_id = o.message AND attempt.number = o.number
                AND attempt.outcome IS NULL AND ($3 = 1 OR attempt.stage <> 'content')
            RETURNING attempt.message_id, attempt.outcome"
    };
    RELEASE_MESSAGES = {
        sqlite: "UPDATE message SET worker_id = NULL, state = 'queued', next_try_at = $3
            WHERE id IN (SELECT value FROM json_each($1))
                AND state = 'sending' AND worker_id = $2",
        postgres: "UPDATE message SET worker_id = NULL, state = 'queued', next_try_at = $3
            WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))
                AND state = 'sending' AND worker_id = $2"
    };
    DECIDE_DOUBTS = {
        sqlite: "UPDATE message SET worker_id = NULL, next_try_at = $3, state = f.state,
                cause = CASE WHEN f.state IN ('dropped', 'failed') THEN 'in_doubt' END,
                ended_at = CASE f.state WHEN 'queued' THEN NULL ELSE $3 END
            FROM (SELECT m.id, CASE
                        WHEN m.notice_id IS NOT NULL
                            THEN CASE WHEN d.n < $4 THEN 'queued' ELSE 'failed' END
                        WHEN l.in_doubt = 'resend'
                            THEN CASE WHEN d.n < $5 THEN 'queued' ELSE 'held' END
                        WHEN l.in_doubt = 'hold' THEN 'held' ELSE 'dropped' END AS state
                    FROM json_each($1) o JOIN message m ON m.id = o.value
                    JOIN (SELECT a.message_id, count(*) AS n FROM json_each($1) o
                        JOIN attempt a ON a.message_id = o.value AND a.outcome = 'in_doubt'
                        GROUP BY a.message_id) d ON d.message_id = m.id
                    LEFT JOIN edition e ON e.id = m.edition_id
                    LEFT JOIN notice n ON n.id = m.notice_id
                    JOIN list l ON l.id = coalesce(e.list_id, n.list_id)) f
            WHERE message.id = f.id AND message.state = 'sending' AND message.worker_id = $2",
        postgres: "UPDATE message SET worker_id = NULL, next_try_at = $3, state = f.state,
                cause = CASE WHEN f.state IN ('dropped', 'failed') THEN 'in_doubt' END,
                ended_at = CASE f.state WHEN 'queued' THEN NULL ELSE $3::bigint END
            FROM (SELECT m.id, CASE
                        WHEN m.notice_id IS NOT NULL
                            THEN CASE WHEN d.n < $4 THEN 'queued' ELSE 'failed' END
                        WHEN l.in_doubt = 'resend'
                            THEN CASE WHEN d.n < $5 THEN 'queued' ELSE 'held' END
                        WHEN l.in_doubt = 'hold' THEN 'held' ELSE 'dropped' END AS state
                    FROM message m
                    JOIN (SELECT a.message_id, count(*) AS n FROM attempt a
                        WHERE a.outcome = 'in_doubt' AND a.message_id = ANY (ARRAY(
                            SELECT value::bigint FROM json_array_elements_text($1::json)))
                        GROUP BY a.message_id) d ON d.message_id = m.id
                    LEFT JOIN edition e ON e.id = m.edition_id
                    LEFT JOIN notice n ON n.id = m.notice_id
                    JOIN list l ON l.id = coalesce(e.list_id, n.list_id)
                    WHERE m.id = ANY (ARRAY(SELECT value::bigint
                        FROM json_array_elements_text($1::json)))) f
            WHERE message.id = f.id AND message.state = 'sending' AND message.worker_id = $2"
    };
}
