// The intrusive list.
//
// SPDX-License-Identifier: BSD-3-Clause
#include "base/list.h"

#include "test.h"

struct item {
    int value;
    struct list link;
};

static struct item *item_of(struct list *l)
{
    return container_of(l, struct item, link);
}

// Every neighbour points back; returns the length.
static int list_length(const struct list *head)
{
    int n = 0;
    for (const struct list *l = head->next; l != head; l = l->next, n++) {
        CHECK_PTR_EQ(l->next->prev, l);
        CHECK_PTR_EQ(l->prev->next, l);
    }
    return n;
}

TEST(pops_what_was_pushed)
{
    struct list head;
    struct item item[4];
    list_init(&head);
    CHECK(list_empty(&head));
    CHECK_PTR_EQ(list_pop_front(&head), NULL);
    for (int i = 0; i < 4; i++) {
        item[i].value = i;
        if (i % 2 == 0)
            list_push_back(&head, &item[i].link);
        else
            list_push_front(&head, &item[i].link);
    }
    static const int wanted[] = { 3, 1, 0, 2 };
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(list_length(&head), 4 - i);
        CHECK_EQ(item_of(list_pop_front(&head))->value, wanted[i]);
    }
    CHECK(list_empty(&head));
}

TEST(remove_is_idempotent)
{
    struct list head;
    struct item item[3];
    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &item[i].link);
    list_remove(&item[1].link);
    CHECK_EQ(list_length(&head), 2);
    CHECK(list_empty(&item[1].link));
    list_remove(&item[1].link);
    CHECK_EQ(list_length(&head), 2);
    list_remove(&item[0].link);
    list_remove(&item[2].link);
    CHECK(list_empty(&head));
}

int main(void)
{
    RUN(pops_what_was_pushed);
    RUN(remove_is_idempotent);
    return 0;
}
