#include "init-user.h"

#include <string.h>

/* 4294967295 is (uid_t)-1, "leave as it is" to setresuid(). */
#define ID_MAX 0xfffffffeu

struct account {
    struct span name, home;
    uint64_t uid, gid;
};

/* "name:password:uid:gid:comment:home:shell"; the last three may be missing. */
static bool parse_account(struct span line, struct account *account)
{
    struct span password, uid, gid, comment;

    if (!span_next(&line, ':', &account->name) || !span_next(&line, ':', &password) ||
        !span_next(&line, ':', &uid) || !span_next(&line, ':', &gid))
        return false;
    if (account->name.size == 0 || !parse_decimal(uid, ID_MAX, &account->uid) ||
        !parse_decimal(gid, ID_MAX, &account->gid))
        return false;
    account->home = (struct span){0};
    if (span_next(&line, ':', &comment))
        (void)span_next(&line, ':', &account->home);
    return true;
}

static bool same(struct span a, struct span b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The first account of that uid, or of that name; as in getpwuid(), later ones do not count. */
static bool find_account(struct span passwd, const uint64_t *uid, struct span name, struct account *account)
{
    struct span line;

    while (span_next(&passwd, '\n', &line)) {
        if (!parse_account(line, account))
            continue;
        if (uid != NULL ? account->uid == *uid : same(account->name, name))
            return true;
    }
    return false;
}

/* "name:password:gid:member,member". */
static bool parse_group(struct span line, struct span *name, uint64_t *gid, struct span *members)
{
    struct span password, number;

    *members = (struct span){0};
    if (!span_next(&line, ':', name) || !span_next(&line, ':', &password) || !span_next(&line, ':', &number))
        return false;
    *members = line;
    return name->size > 0 && parse_decimal(number, ID_MAX, gid);
}

static bool find_group(struct span group, struct span wanted, uint64_t *gid)
{
    struct span line, name, members;

    while (span_next(&group, '\n', &line))
        if (parse_group(line, &name, gid, &members) && same(name, wanted))
            return true;
    return false;
}

static bool is_member(struct span members, struct span name)
{
    struct span member;

    while (span_next(&members, ',', &member))
        if (same(member, name))
            return true;
    return false;
}

static bool add_supplementary(struct span group, struct span user, struct identity *identity, const char **why)
{
    struct span line, name, members;
    uint64_t gid;

    while (span_next(&group, '\n', &line)) {
        if (!parse_group(line, &name, &gid, &members) || !is_member(members, user) || gid == identity->gid)
            continue;
        if (identity->group_count == GROUPS_LIMIT) {
            *why = "the user is in more than 1024 groups";
            return false;
        }
        identity->groups[identity->group_count++] = (gid_t)gid;
    }
    return true;
}

/* The part before the colon. `account` is empty afterwards for a uid that passwd does not know. */
static bool find_user(struct span passwd, struct span user, struct account *account, const char **why)
{
    uint64_t uid = 0;
    bool numeric = user.size == 0 || parse_decimal(user, ID_MAX, &uid);

    if (find_account(passwd, numeric ? &uid : NULL, user, account))
        return true;
    *account = (struct account){.uid = uid};
    *why = "User names a user that /etc/passwd does not have";
    return numeric;
}

bool find_identity(struct span passwd, struct span group, struct span user, struct identity *identity,
                   const char **why)
{
    struct span user_part = {0}, group_part;
    struct account account = {0};
    uint64_t gid;
    bool group_given;

    memset(identity, 0, sizeof *identity);
    (void)span_next(&user, ':', &user_part);
    group_given = span_next(&user, ':', &group_part) && group_part.size > 0;
    if (!find_user(passwd, user_part, &account, why))
        return false;
    gid = account.gid;
    *why = "User names a group that /etc/group does not have";
    if (group_given && !parse_decimal(group_part, ID_MAX, &gid) && !find_group(group, group_part, &gid))
        return false;
    identity->uid = (uid_t)account.uid;
    identity->gid = (gid_t)gid;
    identity->groups[identity->group_count++] = (gid_t)gid;
    identity->home = account.home.size > 0 ? account.home : span_of("/");
    return group_given || account.name.size == 0 || add_supplementary(group, account.name, identity, why);
}
