ALTER TABLE "device" ADD COLUMN "access" TEXT NOT NULL DEFAULT 'allow';
ALTER TABLE "device" ADD COLUMN "access_reason" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "is_judged" INTEGER NOT NULL DEFAULT FALSE;
ALTER TABLE "device" ADD COLUMN "policy_key_spent" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "device" ADD COLUMN "policy_offered" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "policy_applied" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "policy_applied_at" INTEGER;
ALTER TABLE "device" ADD COLUMN "policy_status" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "device" ADD COLUMN "wipe_state" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "wipe_scope" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "wipe_changed_at" INTEGER;

CREATE TABLE "device_policy" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL,
    "document" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "is_default" INTEGER NOT NULL,
    "is_enforced" INTEGER NOT NULL,
    "allows_partial" INTEGER NOT NULL,
    "refresh_hours" INTEGER NOT NULL,
    "changed_at" INTEGER NOT NULL);

CREATE UNIQUE INDEX "device_policy_name" ON "device_policy" ("name");

CREATE TABLE "account_policy" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "policy_id" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "device_rule" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "access" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "pattern" TEXT NOT NULL);

CREATE TABLE "device_trace" ("device_id" INTEGER NOT NULL PRIMARY KEY,
    "trace" TEXT NOT NULL,
    "updated_at" INTEGER NOT NULL,
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);
