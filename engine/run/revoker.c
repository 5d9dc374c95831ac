#include "run/revoker.h"

#include "acme/objects.h"
#include "run/message.h"
#include "run/session.h"

#include <stdio.h>
#include <string.h>

static void revoked_note(struct worker *worker, const struct revocation *revocation)
{
    struct state_message *message = state_message_new(worker, 0, STATE_REVOKED);
    if (message == NULL)
        return;
    message->change.certificate =
        (struct state_certificate){.name = revocation->name, .revoked_at = worker_now_unix(worker)};
    state_message_post(message);
}

static void revoke_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct revocation *revocation = &worker->run->revocations[call->part];
    bool answered = reply->http->failure == HTTP_ANSWERED;
    revocation->was_revoked = answered && strcmp(reply->problem.type, "alreadyRevoked") == 0;
    revocation->revoked = reply->ok || revocation->was_revoked;
    if (revocation->revoked) {
        revoked_note(worker, revocation);
    } else {
        revocation->error = reply->error;
        if (answered)
            snprintf(revocation->advice, sizeof revocation->advice, "%s",
                     problem_advice(&reply->problem));
    }
    revoker_ended(worker);
}

static bool revoke_send(struct worker *worker, struct lane *lane, uint32_t index)
{
    struct revocation *revocation = &worker->run->revocations[index];
    const char *url = lane->ca->directory.revoke_cert;
    if (url == NULL) {
        error_set(&revocation->error, ERROR_CA, "%s offers no revocation by ACME", lane->ca->host);
        return false;
    }
    struct call *call = call_new(worker, lane->ca, lane, CALL_REVOKE, url, revoke_reply);
    if (call == NULL)
        return false;
    call->part = index;
    if (!payload_revoke(revocation->certificate, revocation->reason, &call->payload)) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a request");
        worker_break(worker, &error);
        return false;
    }
    call_submit(call);
    return true;
}

size_t revoker_begin(struct worker *worker, struct lane *lane)
{
    size_t sent = 0;
    for (uint32_t i = 0; i < worker->run->revocation_count && !worker->broken; i++)
        if (worker->run->revocations[i].account == lane->account)
            sent += revoke_send(worker, lane, i);
    return sent;
}
