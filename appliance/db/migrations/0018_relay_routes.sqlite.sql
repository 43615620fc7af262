CREATE TABLE "relay_route" ("domain" TEXT NOT NULL PRIMARY KEY,
    "host" TEXT NOT NULL,
    "port" INTEGER NOT NULL,
    "tls" TEXT NOT NULL,
    "username" TEXT NOT NULL,
    "secret" BLOB NOT NULL,
    "changed_at" INTEGER NOT NULL);
