CREATE TABLE "group_policy" ("group_id" BIGINT NOT NULL PRIMARY KEY,
    "policy_id" BIGINT NOT NULL,
    FOREIGN KEY ("group_id") REFERENCES "mail_group" ("id") ON DELETE CASCADE);
