CREATE TABLE "group_policy" ("group_id" INTEGER NOT NULL PRIMARY KEY,
    "policy_id" INTEGER NOT NULL,
    FOREIGN KEY ("group_id") REFERENCES "mail_group" ("id") ON DELETE CASCADE);
ALTER TABLE "mass_deletion" ADD COLUMN "folder" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "mass_deletion" ADD COLUMN "folder_total" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "mass_deletion" ADD COLUMN "continued_at" INTEGER;
ALTER TABLE "mass_deletion" ADD COLUMN "is_told" INTEGER NOT NULL DEFAULT FALSE;
