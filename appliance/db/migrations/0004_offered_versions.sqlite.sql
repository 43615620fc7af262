ALTER TABLE "device" ADD COLUMN "offered_versions" TEXT DEFAULT '' NOT NULL;
