CREATE TABLE "import_cursor" ("account_id" BIGINT NOT NULL,
    "source" TEXT NOT NULL,
    "folder" TEXT NOT NULL,
    "uid_validity" BIGINT NOT NULL,
    "uid" BIGINT NOT NULL, PRIMARY KEY ("account_id",
    "source",
    "folder"), FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);
