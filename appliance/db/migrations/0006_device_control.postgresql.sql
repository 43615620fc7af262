ALTER TABLE "device" ADD COLUMN "access" TEXT NOT NULL DEFAULT 'allow';
ALTER TABLE "device" ADD COLUMN "access_reason" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "is_judged" BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE "device" ADD COLUMN "policy_key_spent" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "device" ADD COLUMN "policy_offered" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "policy_applied" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "policy_applied_at" BIGINT;
ALTER TABLE "device" ADD COLUMN "policy_status" SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE "device" ADD COLUMN "wipe_state" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "wipe_scope" TEXT NOT NULL DEFAULT '';
ALTER TABLE "device" ADD COLUMN "wipe_changed_at" BIGINT;

CREATE TABLE "device_policy" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "document" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "is_default" BOOLEAN NOT NULL,
    "is_enforced" BOOLEAN NOT NULL,
    "allows_partial" BOOLEAN NOT NULL,
    "refresh_hours" INTEGER NOT NULL,
    "changed_at" BIGINT NOT NULL);

CREATE UNIQUE INDEX "device_policy_name" ON "device_policy" ("name");

CREATE TABLE "account_policy" ("account_id" BIGINT NOT NULL PRIMARY KEY,
    "policy_id" BIGINT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "device_rule" ("id" BIGSERIAL NOT NULL PRIMARY KEY,
    "access" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "pattern" TEXT NOT NULL);

CREATE TABLE "device_trace" ("device_id" BIGINT NOT NULL PRIMARY KEY,
    "trace" TEXT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    FOREIGN KEY ("device_id") REFERENCES "device" ("id") ON DELETE CASCADE);
