CREATE TABLE "access_token" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account_id" INTEGER NOT NULL,
    "digest" BLOB NOT NULL,
    "scopes" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "credential_version" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "expires_at" INTEGER NOT NULL,
    "last_used_at" INTEGER,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE INDEX "access_token_account_id" ON "access_token" ("account_id");

CREATE UNIQUE INDEX "access_token_digest" ON "access_token" ("digest");

CREATE INDEX "access_token_expires_at" ON "access_token" ("expires_at");

CREATE TABLE "sending_count" ("account_id" INTEGER NOT NULL,
    "bucket" INTEGER NOT NULL,
    "messages" INTEGER NOT NULL,
    "recipients" INTEGER NOT NULL,
    "first_contacts" INTEGER NOT NULL,
    PRIMARY KEY ("account_id",
    "bucket"),
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);

CREATE TABLE "sending_notice" ("account_id" INTEGER NOT NULL PRIMARY KEY,
    "told_at" INTEGER NOT NULL,
    FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);
