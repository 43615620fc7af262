CREATE TABLE "import_cursor" ("account_id" INTEGER NOT NULL,
    "source" TEXT NOT NULL,
    "folder" TEXT NOT NULL,
    "uid_validity" INTEGER NOT NULL,
    "uid" INTEGER NOT NULL, PRIMARY KEY ("account_id",
    "source",
    "folder"), FOREIGN KEY ("account_id") REFERENCES "account" ("id") ON DELETE CASCADE);
