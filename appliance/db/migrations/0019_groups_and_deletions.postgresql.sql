CREATE TABLE "group_policy" ("group_id" BIGINT NOT NULL PRIMARY KEY,
    "policy_id" BIGINT NOT NULL,
    FOREIGN KEY ("group_id") REFERENCES "mail_group" ("id") ON DELETE CASCADE);
ALTER TABLE "mass_deletion" ADD COLUMN "folder" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "mass_deletion" ADD COLUMN "folder_total" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "mass_deletion" ADD COLUMN "continued_at" BIGINT;
ALTER TABLE "mass_deletion" ADD COLUMN "is_told" BOOLEAN NOT NULL DEFAULT FALSE;
