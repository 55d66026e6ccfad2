/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/survey.h"

#include <stdio.h>

#include "cluster/service.h"
#include "common/thread.h"

struct question {
    struct service *service;
    struct survey_answer *answer;
    uint64_t login_of;
    unsigned timeout_ms;
    pthread_t thread;
    bool is_running;
};

static enum rc ask(const struct question *question)
{
    struct survey_answer *answer = question->answer;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__StatusRequest body = QHSM__STATUS_REQUEST__INIT;
    body.login_of = question->login_of;
    request.body_case = QHSM__REQUEST__BODY_STATUS;
    request.status = &body;
    if (question->service->colleagues == NULL)
        return rc_fail(RC_UNAVAILABLE, "this HSM talks to no other: listen_peer is not set");
    TRY(colleagues_call(question->service->colleagues, answer->id, &request, question->timeout_ms,
                        &answer->reply));
    if (answer->reply.msg->body_case != QHSM__RESPONSE__BODY_STATUS)
        return rc_fail(RC_PROTOCOL, "no status in the answer");
    if (answer->reply.msg->status->node != answer->id)
        return rc_fail(RC_PROTOCOL, "HSM %llu answers there",
                       (unsigned long long)answer->reply.msg->status->node);
    answer->status = answer->reply.msg->status;
    return RC_OK;
}

static void *run(void *context)
{
    struct question *question = context;
    struct survey_answer *answer = question->answer;
    answer->rc = ask(question);
    if (answer->rc != RC_OK) {
        const char *detail = rc_detail();
        (void)snprintf(answer->detail, sizeof answer->detail, "%s",
                       detail[0] != 0 ? detail : rc_info(answer->rc)->text);
    }
    return NULL;
}

void survey_ask(struct service *service, struct survey_answer *answers, size_t count,
                uint64_t login_of, unsigned timeout_ms)
{
    struct question questions[CLUSTER_NODES_MAX];
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++) {
        questions[i] = (struct question){.service = service,
                                         .answer = &answers[i],
                                         .login_of = login_of,
                                         .timeout_ms = timeout_ms};
        answers[i] = (struct survey_answer){.id = answers[i].id};
        if (answers[i].id == service->config->node)
            continue;
        if (thread_start(&questions[i].thread, "survey", run, &questions[i]) == RC_OK)
            questions[i].is_running = true;
        else
            (void)run(&questions[i]); /* no thread to be had: one after the other */
    }
    for (size_t i = 0; i < count && i < CLUSTER_NODES_MAX; i++)
        if (questions[i].is_running)
            (void)pthread_join(questions[i].thread, NULL);
}

void survey_clear(struct service *service, struct survey_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (answers[i].reply.msg != NULL)
            colleague_reply_clear(service->colleagues, &answers[i].reply);
}
