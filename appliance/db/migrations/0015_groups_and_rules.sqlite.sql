ALTER TABLE "domain" ADD COLUMN "alias_of" TEXT NOT NULL DEFAULT '';
ALTER TABLE "domain" ADD COLUMN "catch_all" TEXT NOT NULL DEFAULT '';

CREATE TABLE "mail_group" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "address" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "senders" TEXT NOT NULL,
    "owner_id" INTEGER,
    "created_at" INTEGER NOT NULL,
    FOREIGN KEY ("owner_id") REFERENCES "account" ("id") ON DELETE SET NULL);

CREATE UNIQUE INDEX "mail_group_address" ON "mail_group" ("address");

CREATE INDEX "mail_group_owner_id" ON "mail_group" ("owner_id");

CREATE TABLE "mail_group_member" ("group_id" INTEGER NOT NULL,
    "address" TEXT NOT NULL,
    "may_send_as" INTEGER NOT NULL,
    PRIMARY KEY ("group_id",
    "address"),
    FOREIGN KEY ("group_id") REFERENCES "mail_group" ("id") ON DELETE CASCADE);

CREATE INDEX "mail_group_member_address" ON "mail_group_member" ("address");

CREATE TABLE "account_forward" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "address" TEXT NOT NULL,
    "keeps_copy" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "mail_rule" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "is_enabled" INTEGER NOT NULL,
    "conditions" TEXT NOT NULL,
    "actions" TEXT NOT NULL,
    "trouble" TEXT NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "mail_rule_account_id_position" ON "mail_rule" ("account_id",
    "position");

CREATE TABLE "sender_verdict" ("account_id" INTEGER NOT NULL,
    "sender" TEXT NOT NULL,
    "is_blocked" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "sender"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "return_path" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "address" TEXT NOT NULL,
    "used_at" INTEGER NOT NULL);

CREATE UNIQUE INDEX "return_path_address" ON "return_path" ("address");

CREATE INDEX "return_path_used_at" ON "return_path" ("used_at");
