"""One declaration for each resource that Vitally takes (API notes on writing, 3 and 4)."""

from __future__ import annotations

from target_vitally.mapping.resource import Property, Resource
from target_vitally.resources.parts import (
    COUNTS,
    EXTERNAL_ID,
    OWN_ID,
    PARENTS,
    STAMPS,
    TAGS,
    account,
    admin,
    inside,
    kept,
    named,
    names,
    organization,
)
from vitally_api.resources import LISTS, ApiList

DECLARED = (
    Resource(
        name="organizations",
        api=LISTS["organizations"],
        rank=0,
        upserts=True,
        message="organization",
        properties=(EXTERNAL_ID, Property("name", needed=True)),
        model="organizations",
        read_only=STAMPS | COUNTS | {"accountOwnerId", "accountsCount", "organizationOwnerId"},
    ),
    Resource(
        name="accounts",
        api=LISTS["accounts"],
        rank=1,
        message="account",
        properties=(EXTERNAL_ID, Property("name", needed=True), organization()),
        model="accounts",
        # Its owner can only be taken away by the API: whoever means that does it in the app.
        read_only=STAMPS | COUNTS | {"accountOwnerId"},
    ),
    Resource(
        name="users",
        api=LISTS["users"],
        rank=2,
        message="user",
        properties=(
            EXTERNAL_ID,
            Property("name"),
            Property("email", "email"),
            Property("avatar"),
            kept("unsubscribedFromConversations", "boolean"),
            Property("joinDate", "instant"),
            *(
                kept(
                    f"{one}Ids",
                    "ids",
                    displayed=f"{one}s",
                    of=f"{one}s",
                    lookups=dict.fromkeys((f"{one}ExternalIds", f"{one}ExternalId"), "externalId"),
                    embedded=f"{one}s",
                )
                for one in ("account", "organization")
            ),
        ),
        keys=("id", "externalId", "email"),
        one_of=(("accountIds", "organizationIds"),),
        model="users",
        read_only=STAMPS
        | names(
            """
        deactivatedAt firstKnown lastInboundMessageTimestamp lastOutboundMessageTimestamp
        lastSeenTimestamp npsLastFeedback npsLastRespondedAt npsLastScore permanentlyBounced segments
        unsubscribedFromConversationsAt
        """
        ),
    ),
    Resource(
        name="custom_objects",
        api=LISTS["custom_objects"],
        rank=3,
        properties=(
            kept("name", needed=True),
            kept("label", needed=True),
            kept("writeMode", needed=True),
            kept("customFields", "fields", united=True),
        ),
        key="name",
        keys=("id", "name"),
        read_only=STAMPS | {"syncActive"},
        needs_flag="delete_custom_objects",
    ),
    Resource(
        name="tasks",
        api=LISTS["tasks"],
        rank=4,
        properties=(
            OWN_ID,
            Property("name", needed=True),
            account(clears=False),
            organization(clears=False),
            Property("description", "html"),
            Property("dueDate", "date"),
            admin("assignedToId", "assignedToEmail", "assignedTo"),
            Property("completedAt", "instant"),
            admin("completedById", "completedByEmail", "completedBy"),
            named("categoryId", "categoryName", "task_categories", "category"),
            TAGS,
        ),
        key_needed=False,
        one_of=(PARENTS,),
        model="tasks",
        read_only=STAMPS | {"archivedAt", "createdById", "meetingId", "projects", "source"},
    ),
    Resource(
        name="notes",
        api=LISTS["notes"],
        rank=4,
        properties=(
            OWN_ID,
            Property("note", "html", needed=True),
            Property("noteDate", "instant", needed=True),
            account(clears=False),
            organization(clears=False),
            Property("subject"),
            admin("authorId", "authorEmail", "author"),
            named("categoryId", "categoryName", "note_categories", "category"),
            TAGS,
        ),
        key_needed=False,
        one_of=(PARENTS,),
        model="notes",
        read_only=STAMPS | {"archivedAt", "meetingDescription", "source", "users"},
    ),
    Resource(
        name="projects",
        api=LISTS["projects"],
        rank=4,
        properties=(
            named(
                "templateId",
                "templateName",
                "project_templates",
                needed=True,
                fixed=True,
                clears=False,
            ),
            account(embedded="", fixed=True, clears=False),
            organization(embedded="", fixed=True, clears=False),
            kept("name"),
            Property("targetStartDate", "date"),
            Property("targetCompletionDate", "date"),
            Property("projectStatusId"),
            named("projectCategoryId", "projectCategoryName", "project_categories"),
            admin("ownedByVitallyUserId", "ownerEmail"),
        ),
        key=None,
        keys=("id",),
        key_needed=False,
        one_of=(PARENTS,),
        model="projects",
        read_only=STAMPS
        | {"actualCompletionDate", "actualStartDate", "archivedAt", "durationInDays", "externalId"},
    ),
    Resource(
        name="nps_responses",
        api=LISTS["nps_responses"],
        rank=4,
        properties=(
            OWN_ID,
            kept(
                "userId",
                needed=True,
                always=True,
                of="users",
                lookups={"userExternalId": "externalId", "userEmail": "email"},
                embedded="user",
            ),
            kept("score", "integer", needed=True, always=True),
            kept("respondedAt", "instant", needed=True, always=True),
            Property("feedback"),
        ),
        key_needed=False,
        upserts=True,
        read_only=STAMPS | {"dismissedAt", "target"},
    ),
    Resource(
        name="conversations",
        api=LISTS["conversations"],
        rank=4,
        properties=(
            EXTERNAL_ID,
            kept("subject", needed=True, always=True),
            kept("messages", "messages", united=True),
        ),
        model="conversations",
        read_only=STAMPS
        | names(
            "accountIds accounts adminIds admins externalUrl rating source status userIds users"
        ),
    ),
    Resource(
        name="custom_object_instances",
        api=LISTS["custom_object_instances"],
        rank=4,
        message="customobjectinstance",
        properties=(
            inside("customObjectId", "custom_objects", "customObjectName", "name"),
            OWN_ID,
            kept("name", needed=True),
            account("customerId", "customer", among="customers", clears=False),
            organization(clears=False),
            admin("ownedByVitallyUserId", "ownerEmail"),
        ),
        key_needed=False,
        one_of=(("customerId", "organizationId"),),
        model="customObjects",
        read_only=STAMPS
        | {"accountIds", "archivedAt", "createdByVitallyUserId", "customers", "descriptionBody"},
    ),
    Resource(
        name="meetings",
        api=LISTS["meetings"],
        rank=4,
        properties=(
            EXTERNAL_ID,
            kept("title", needed=True),
            Property("description", "html"),
            Property("location"),
            Property("startDateTime", "instant"),
            Property("endDateTime", "instant"),
            Property("recordingUrl"),
            Property("summary"),
            Property("keyPoints", "list"),
            Property("riskAssessment", "json"),
            kept("participants", "participants", needed=True, united=True),
        ),
        model="meetings",
        read_only=STAMPS
        | names(
            """
        accountIds accounts archivedAt conferenceSolution endDate endTimeZone externalStatus
        joiningInstructionsUri notes organizationIds organizations phoneConferenceNumbers
        recordingUrlFormatted source startDate startTimeZone tasks videoConferenceUri
        """
        ),
    ),
    Resource(
        name="messages",
        api=ApiList("/conversations/{conversationId}/messages"),
        rank=5,
        properties=(
            inside("conversationId", "conversations", "conversationExternalId"),
            EXTERNAL_ID,
            kept("message", "html", needed=True, always=True),
            kept("timestamp", "instant", always=True),
            kept("from", "people", needed=True, always=True),
            kept("to", "people", needed=True, always=True),
            kept("cc", "people", always=True),
            kept("bcc", "people", always=True),
        ),
        read_only=STAMPS
        | names(
            """
        conversationAccountIds conversationAdminIds conversationUpdatedAt conversationUserIds
        externalUrl type
        """
        ),
    ),
    Resource(
        name="meeting_transcripts",
        api=ApiList("/meetings/{meetingId}/transcript"),
        rank=5,
        properties=(
            inside("meetingId", "meetings", "meetingExternalId"),
            kept("transcript", "list", needed=True),
        ),
        key=None,
        keys=("id",),
        key_needed=False,
        read_only=STAMPS,
        upserts=True,
    ),
    Resource(
        name="user_accounts",
        api=ApiList("/users/{userId}/accounts/{accountId}"),
        rank=3,
        properties=(
            inside("userId", "users", "userExternalId"),
            inside("accountId", "accounts", "accountExternalId"),
        ),
        key=None,
        keys=(),
        key_needed=False,
        message="user",
        only_message=True,
    ),
    Resource(
        name="events",
        api=ApiList("/analytics/v1/track"),
        rank=6,
        properties=(
            Property("event", needed=True),
            Property("timestamp", "instant", needed=True),
            Property("userExternalId"),
            Property("accountExternalId"),
            Property("organizationExternalId"),
        ),
        key=None,
        keys=(),
        one_of=(("userExternalId", "accountExternalId", "organizationExternalId"),),
        model="events",
        message="track",
        only_message=True,
    ),
)
