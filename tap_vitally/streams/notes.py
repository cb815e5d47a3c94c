"""Notes and their categories."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f


class NotesStream(VitallyStream):
    """Notes on accounts and organizations.

    A deleted note is only archived: it stays in the stream, with `archivedAt` set.
    """

    name = "notes"
    schema = f.record(
        *f.DATED,
        f.ARCHIVED_AT,
        f.EXTERNAL_ID,
        *f.OWNERS,
        f.text("subject", "Title of the note."),
        f.text("note", "Body in HTML."),
        f.moment("noteDate", "Moment the note is about, chosen by its author."),
        f.text(
            "meetingDescription",
            "Description of the meeting behind the note; not documented by Vitally.",
        ),
        f.text("authorId", "Team member who wrote it (admins.id)."),
        f.free_form(
            "author", "The author, with id, name and email; null when no person wrote the note."
        ),
        *f.CATEGORISED,
        f.objects("users", "Users the note is linked to; often empty, members not documented."),
        *f.LINKS,
        f.SOURCE,
        f.TRAITS,
    )


class NoteCategoriesStream(VitallyStream):
    """Categories a note can have."""

    name = "note_categories"
    replication_key = None
    schema = f.CATEGORY_SCHEMA
