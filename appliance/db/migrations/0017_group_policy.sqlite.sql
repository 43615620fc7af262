CREATE TABLE "group_policy" ("group_id" INTEGER NOT NULL PRIMARY KEY,
    "policy_id" INTEGER NOT NULL,
    FOREIGN KEY ("group_id") REFERENCES "mail_group" ("id") ON DELETE CASCADE);
