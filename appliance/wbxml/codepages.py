"""The vocabulary of ActiveSync: every tag of the 26 WBXML code pages. Data only.

One class per code page, named like its namespace; one `Tag` per token, named as Microsoft's tables name
it. Names never travel, only (page, token) does. A tag without `since` was never part of a published
protocol version and is known from other servers' tables; "2.5" stands for "always".

`until` is the last version that uses a tag. `opaque` marks byte arrays, which travel as OPAQUE.
Source: MS-ASWBXML 2.1.2.1 Code Pages.
"""

import copyreg

from appliance.wbxml.element import Tag


class AirSync:
    """Code page 0. Sync."""

    Sync = Tag(0, 0x05, "Sync", "AirSync", since="2.5")
    Responses = Tag(0, 0x06, "Responses", "AirSync", since="2.5")
    Add = Tag(0, 0x07, "Add", "AirSync", since="2.5")
    Change = Tag(0, 0x08, "Change", "AirSync", since="2.5")
    Delete = Tag(0, 0x09, "Delete", "AirSync", since="2.5")
    Fetch = Tag(0, 0x0A, "Fetch", "AirSync", since="2.5")
    SyncKey = Tag(0, 0x0B, "SyncKey", "AirSync", since="2.5")
    ClientId = Tag(0, 0x0C, "ClientId", "AirSync", since="2.5")
    ServerId = Tag(0, 0x0D, "ServerId", "AirSync", since="2.5")
    Status = Tag(0, 0x0E, "Status", "AirSync", since="2.5")
    Collection = Tag(0, 0x0F, "Collection", "AirSync", since="2.5")
    Class = Tag(0, 0x10, "Class", "AirSync", since="2.5")
    Version = Tag(0, 0x11, "Version", "AirSync")
    CollectionId = Tag(0, 0x12, "CollectionId", "AirSync", since="2.5")
    GetChanges = Tag(0, 0x13, "GetChanges", "AirSync", since="2.5")
    MoreAvailable = Tag(0, 0x14, "MoreAvailable", "AirSync", since="2.5")
    WindowSize = Tag(0, 0x15, "WindowSize", "AirSync", since="2.5")
    Commands = Tag(0, 0x16, "Commands", "AirSync", since="2.5")
    Options = Tag(0, 0x17, "Options", "AirSync", since="2.5")
    FilterType = Tag(0, 0x18, "FilterType", "AirSync", since="2.5")
    Truncation = Tag(0, 0x19, "Truncation", "AirSync", since="2.5", until="2.5")
    RTFTruncation = Tag(0, 0x1A, "RTFTruncation", "AirSync", since="2.5", until="2.5")
    Conflict = Tag(0, 0x1B, "Conflict", "AirSync", since="2.5")
    Collections = Tag(0, 0x1C, "Collections", "AirSync", since="2.5")
    ApplicationData = Tag(0, 0x1D, "ApplicationData", "AirSync", since="2.5")
    DeletesAsMoves = Tag(0, 0x1E, "DeletesAsMoves", "AirSync", since="2.5")
    NotifyGUID = Tag(0, 0x1F, "NotifyGUID", "AirSync", since="2.5", until="2.5")
    Supported = Tag(0, 0x20, "Supported", "AirSync", since="2.5")
    SoftDelete = Tag(0, 0x21, "SoftDelete", "AirSync", since="2.5")
    MIMESupport = Tag(0, 0x22, "MIMESupport", "AirSync", since="2.5")
    MIMETruncation = Tag(0, 0x23, "MIMETruncation", "AirSync", since="2.5")
    Wait = Tag(0, 0x24, "Wait", "AirSync", since="12.1")
    Limit = Tag(0, 0x25, "Limit", "AirSync", since="12.1")
    Partial = Tag(0, 0x26, "Partial", "AirSync", since="12.1")
    ConversationMode = Tag(0, 0x27, "ConversationMode", "AirSync", since="14.0")
    MaxItems = Tag(0, 0x28, "MaxItems", "AirSync", since="14.0")
    HeartbeatInterval = Tag(0, 0x29, "HeartbeatInterval", "AirSync", since="14.0")


class Contacts:
    """Code page 1. Contacts."""

    Anniversary = Tag(1, 0x05, "Anniversary", "Contacts", since="2.5")
    AssistantName = Tag(1, 0x06, "AssistantName", "Contacts", since="2.5")
    AssistantPhoneNumber = Tag(1, 0x07, "AssistantPhoneNumber", "Contacts", since="2.5")
    Birthday = Tag(1, 0x08, "Birthday", "Contacts", since="2.5")
    Body = Tag(1, 0x09, "Body", "Contacts", since="2.5", until="2.5")
    BodySize = Tag(1, 0x0A, "BodySize", "Contacts", since="2.5", until="2.5")
    BodyTruncated = Tag(1, 0x0B, "BodyTruncated", "Contacts", since="2.5", until="2.5")
    Business2PhoneNumber = Tag(1, 0x0C, "Business2PhoneNumber", "Contacts", since="2.5")
    BusinessAddressCity = Tag(1, 0x0D, "BusinessAddressCity", "Contacts", since="2.5")
    BusinessAddressCountry = Tag(1, 0x0E, "BusinessAddressCountry", "Contacts", since="2.5")
    BusinessAddressPostalCode = Tag(1, 0x0F, "BusinessAddressPostalCode", "Contacts", since="2.5")
    BusinessAddressState = Tag(1, 0x10, "BusinessAddressState", "Contacts", since="2.5")
    BusinessAddressStreet = Tag(1, 0x11, "BusinessAddressStreet", "Contacts", since="2.5")
    BusinessFaxNumber = Tag(1, 0x12, "BusinessFaxNumber", "Contacts", since="2.5")
    BusinessPhoneNumber = Tag(1, 0x13, "BusinessPhoneNumber", "Contacts", since="2.5")
    CarPhoneNumber = Tag(1, 0x14, "CarPhoneNumber", "Contacts", since="2.5")
    Categories = Tag(1, 0x15, "Categories", "Contacts", since="2.5")
    Category = Tag(1, 0x16, "Category", "Contacts", since="2.5")
    Children = Tag(1, 0x17, "Children", "Contacts", since="2.5")
    Child = Tag(1, 0x18, "Child", "Contacts", since="2.5")
    CompanyName = Tag(1, 0x19, "CompanyName", "Contacts", since="2.5")
    Department = Tag(1, 0x1A, "Department", "Contacts", since="2.5")
    Email1Address = Tag(1, 0x1B, "Email1Address", "Contacts", since="2.5")
    Email2Address = Tag(1, 0x1C, "Email2Address", "Contacts", since="2.5")
    Email3Address = Tag(1, 0x1D, "Email3Address", "Contacts", since="2.5")
    FileAs = Tag(1, 0x1E, "FileAs", "Contacts", since="2.5")
    FirstName = Tag(1, 0x1F, "FirstName", "Contacts", since="2.5")
    Home2PhoneNumber = Tag(1, 0x20, "Home2PhoneNumber", "Contacts", since="2.5")
    HomeAddressCity = Tag(1, 0x21, "HomeAddressCity", "Contacts", since="2.5")
    HomeAddressCountry = Tag(1, 0x22, "HomeAddressCountry", "Contacts", since="2.5")
    HomeAddressPostalCode = Tag(1, 0x23, "HomeAddressPostalCode", "Contacts", since="2.5")
    HomeAddressState = Tag(1, 0x24, "HomeAddressState", "Contacts", since="2.5")
    HomeAddressStreet = Tag(1, 0x25, "HomeAddressStreet", "Contacts", since="2.5")
    HomeFaxNumber = Tag(1, 0x26, "HomeFaxNumber", "Contacts", since="2.5")
    HomePhoneNumber = Tag(1, 0x27, "HomePhoneNumber", "Contacts", since="2.5")
    JobTitle = Tag(1, 0x28, "JobTitle", "Contacts", since="2.5")
    LastName = Tag(1, 0x29, "LastName", "Contacts", since="2.5")
    MiddleName = Tag(1, 0x2A, "MiddleName", "Contacts", since="2.5")
    MobilePhoneNumber = Tag(1, 0x2B, "MobilePhoneNumber", "Contacts", since="2.5")
    OfficeLocation = Tag(1, 0x2C, "OfficeLocation", "Contacts", since="2.5")
    OtherAddressCity = Tag(1, 0x2D, "OtherAddressCity", "Contacts", since="2.5")
    OtherAddressCountry = Tag(1, 0x2E, "OtherAddressCountry", "Contacts", since="2.5")
    OtherAddressPostalCode = Tag(1, 0x2F, "OtherAddressPostalCode", "Contacts", since="2.5")
    OtherAddressState = Tag(1, 0x30, "OtherAddressState", "Contacts", since="2.5")
    OtherAddressStreet = Tag(1, 0x31, "OtherAddressStreet", "Contacts", since="2.5")
    PagerNumber = Tag(1, 0x32, "PagerNumber", "Contacts", since="2.5")
    RadioPhoneNumber = Tag(1, 0x33, "RadioPhoneNumber", "Contacts", since="2.5")
    Spouse = Tag(1, 0x34, "Spouse", "Contacts", since="2.5")
    Suffix = Tag(1, 0x35, "Suffix", "Contacts", since="2.5")
    Title = Tag(1, 0x36, "Title", "Contacts", since="2.5")
    WebPage = Tag(1, 0x37, "WebPage", "Contacts", since="2.5")
    YomiCompanyName = Tag(1, 0x38, "YomiCompanyName", "Contacts", since="2.5")
    YomiFirstName = Tag(1, 0x39, "YomiFirstName", "Contacts", since="2.5")
    YomiLastName = Tag(1, 0x3A, "YomiLastName", "Contacts", since="2.5")
    CompressedRTF = Tag(1, 0x3B, "CompressedRTF", "Contacts", since="2.5", until="2.5")
    Picture = Tag(1, 0x3C, "Picture", "Contacts", since="2.5")
    Alias = Tag(1, 0x3D, "Alias", "Contacts", since="2.5")
    WeightedRank = Tag(1, 0x3E, "WeightedRank", "Contacts", since="14.0")


class Email:
    """Code page 2. Mail and meeting requests."""

    Attachment = Tag(2, 0x05, "Attachment", "Email", since="2.5", until="2.5")
    Attachments = Tag(2, 0x06, "Attachments", "Email", since="2.5", until="2.5")
    AttName = Tag(2, 0x07, "AttName", "Email", since="2.5", until="2.5")
    AttSize = Tag(2, 0x08, "AttSize", "Email", since="2.5", until="2.5")
    AttOid = Tag(2, 0x09, "AttOid", "Email", since="2.5", until="2.5")
    AttMethod = Tag(2, 0x0A, "AttMethod", "Email", since="2.5", until="2.5")
    AttRemoved = Tag(2, 0x0B, "AttRemoved", "Email", since="2.5", until="2.5")
    Body = Tag(2, 0x0C, "Body", "Email", since="2.5", until="2.5")
    BodySize = Tag(2, 0x0D, "BodySize", "Email", since="2.5", until="2.5")
    BodyTruncated = Tag(2, 0x0E, "BodyTruncated", "Email", since="2.5", until="2.5")
    DateReceived = Tag(2, 0x0F, "DateReceived", "Email", since="2.5")
    DisplayName = Tag(2, 0x10, "DisplayName", "Email", since="2.5", until="2.5")
    DisplayTo = Tag(2, 0x11, "DisplayTo", "Email", since="2.5")
    Importance = Tag(2, 0x12, "Importance", "Email", since="2.5")
    MessageClass = Tag(2, 0x13, "MessageClass", "Email", since="2.5")
    Subject = Tag(2, 0x14, "Subject", "Email", since="2.5")
    Read = Tag(2, 0x15, "Read", "Email", since="2.5")
    To = Tag(2, 0x16, "To", "Email", since="2.5")
    Cc = Tag(2, 0x17, "Cc", "Email", since="2.5")
    From = Tag(2, 0x18, "From", "Email", since="2.5")
    ReplyTo = Tag(2, 0x19, "ReplyTo", "Email", since="2.5")
    AllDayEvent = Tag(2, 0x1A, "AllDayEvent", "Email", since="2.5")
    Categories = Tag(2, 0x1B, "Categories", "Email", since="14.0")
    Category = Tag(2, 0x1C, "Category", "Email", since="14.0")
    DtStamp = Tag(2, 0x1D, "DtStamp", "Email", since="2.5")
    EndTime = Tag(2, 0x1E, "EndTime", "Email", since="2.5")
    InstanceType = Tag(2, 0x1F, "InstanceType", "Email", since="2.5")
    BusyStatus = Tag(2, 0x20, "BusyStatus", "Email", since="2.5")
    Location = Tag(2, 0x21, "Location", "Email", since="2.5", until="14.1")
    MeetingRequest = Tag(2, 0x22, "MeetingRequest", "Email", since="2.5")
    Organizer = Tag(2, 0x23, "Organizer", "Email", since="2.5")
    RecurrenceId = Tag(2, 0x24, "RecurrenceId", "Email", since="2.5")
    Reminder = Tag(2, 0x25, "Reminder", "Email", since="2.5")
    ResponseRequested = Tag(2, 0x26, "ResponseRequested", "Email", since="2.5")
    Recurrences = Tag(2, 0x27, "Recurrences", "Email", since="2.5")
    Recurrence = Tag(2, 0x28, "Recurrence", "Email", since="2.5")
    Type = Tag(2, 0x29, "Type", "Email", since="2.5")
    Until = Tag(2, 0x2A, "Until", "Email", since="2.5")
    Occurrences = Tag(2, 0x2B, "Occurrences", "Email", since="2.5")
    Interval = Tag(2, 0x2C, "Interval", "Email", since="2.5")
    DayOfWeek = Tag(2, 0x2D, "DayOfWeek", "Email", since="2.5")
    DayOfMonth = Tag(2, 0x2E, "DayOfMonth", "Email", since="2.5")
    WeekOfMonth = Tag(2, 0x2F, "WeekOfMonth", "Email", since="2.5")
    MonthOfYear = Tag(2, 0x30, "MonthOfYear", "Email", since="2.5")
    StartTime = Tag(2, 0x31, "StartTime", "Email", since="2.5")
    Sensitivity = Tag(2, 0x32, "Sensitivity", "Email", since="2.5")
    TimeZone = Tag(2, 0x33, "TimeZone", "Email", since="2.5")
    GlobalObjId = Tag(2, 0x34, "GlobalObjId", "Email", since="2.5", until="14.1")
    ThreadTopic = Tag(2, 0x35, "ThreadTopic", "Email", since="2.5")
    MIMEData = Tag(2, 0x36, "MIMEData", "Email", since="2.5", until="2.5")
    MIMETruncated = Tag(2, 0x37, "MIMETruncated", "Email", since="2.5", until="2.5")
    MIMESize = Tag(2, 0x38, "MIMESize", "Email", since="2.5", until="2.5")
    InternetCPID = Tag(2, 0x39, "InternetCPID", "Email", since="2.5")
    Flag = Tag(2, 0x3A, "Flag", "Email", since="12.0")
    Status = Tag(2, 0x3B, "Status", "Email", since="12.0")
    ContentClass = Tag(2, 0x3C, "ContentClass", "Email", since="12.0")
    FlagType = Tag(2, 0x3D, "FlagType", "Email", since="12.0")
    CompleteTime = Tag(2, 0x3E, "CompleteTime", "Email", since="12.0")
    DisallowNewTimeProposal = Tag(2, 0x3F, "DisallowNewTimeProposal", "Email", since="14.0")


class AirNotify:
    """Code page 3. Push by SMS up to 12.1. Removed: the codec refuses the page; its numbers stay reserved."""

    Notify = Tag(3, 0x05, "Notify", "AirNotify", since="2.5", until="12.1")
    Notification = Tag(3, 0x06, "Notification", "AirNotify", since="2.5", until="12.1")
    Version = Tag(3, 0x07, "Version", "AirNotify", since="2.5", until="12.1")
    LifeTime = Tag(3, 0x08, "LifeTime", "AirNotify", since="2.5", until="12.1")
    DeviceInfo = Tag(3, 0x09, "DeviceInfo", "AirNotify", since="2.5", until="12.1")
    Enable = Tag(3, 0x0A, "Enable", "AirNotify", since="2.5", until="12.1")
    Folder = Tag(3, 0x0B, "Folder", "AirNotify", since="2.5", until="12.1")
    ServerId = Tag(3, 0x0C, "ServerId", "AirNotify", since="2.5", until="12.1")
    DeviceAddress = Tag(3, 0x0D, "DeviceAddress", "AirNotify", since="2.5", until="12.1")
    ValidCarrierProfiles = Tag(3, 0x0E, "ValidCarrierProfiles", "AirNotify", since="2.5", until="12.1")
    CarrierProfile = Tag(3, 0x0F, "CarrierProfile", "AirNotify", since="2.5", until="12.1")
    Status = Tag(3, 0x10, "Status", "AirNotify", since="2.5", until="12.1")
    Responses = Tag(3, 0x11, "Responses", "AirNotify", since="2.5", until="12.1")
    Devices = Tag(3, 0x12, "Devices", "AirNotify", since="2.5", until="12.1")
    Device = Tag(3, 0x13, "Device", "AirNotify", since="2.5", until="12.1")
    Id = Tag(3, 0x14, "Id", "AirNotify", since="2.5", until="12.1")
    Expiry = Tag(3, 0x15, "Expiry", "AirNotify", since="2.5", until="12.1")
    NotifyGUID = Tag(3, 0x16, "NotifyGUID", "AirNotify", since="2.5", until="12.1")
    DeviceFriendlyName = Tag(3, 0x17, "DeviceFriendlyName", "AirNotify", since="2.5", until="12.1")


class Calendar:
    """Code page 4. Events."""

    Timezone = Tag(4, 0x05, "Timezone", "Calendar", since="2.5")
    AllDayEvent = Tag(4, 0x06, "AllDayEvent", "Calendar", since="2.5")
    Attendees = Tag(4, 0x07, "Attendees", "Calendar", since="2.5")
    Attendee = Tag(4, 0x08, "Attendee", "Calendar", since="2.5")
    Email = Tag(4, 0x09, "Email", "Calendar", since="2.5")
    Name = Tag(4, 0x0A, "Name", "Calendar", since="2.5")
    Body = Tag(4, 0x0B, "Body", "Calendar", since="2.5", until="2.5")
    BodyTruncated = Tag(4, 0x0C, "BodyTruncated", "Calendar", since="2.5", until="2.5")
    BusyStatus = Tag(4, 0x0D, "BusyStatus", "Calendar", since="2.5")
    Categories = Tag(4, 0x0E, "Categories", "Calendar", since="2.5")
    Category = Tag(4, 0x0F, "Category", "Calendar", since="2.5")
    CompressedRTF = Tag(4, 0x10, "CompressedRTF", "Calendar", since="2.5", until="2.5")
    DtStamp = Tag(4, 0x11, "DtStamp", "Calendar", since="2.5")
    EndTime = Tag(4, 0x12, "EndTime", "Calendar", since="2.5")
    Exception = Tag(4, 0x13, "Exception", "Calendar", since="2.5")
    Exceptions = Tag(4, 0x14, "Exceptions", "Calendar", since="2.5")
    Deleted = Tag(4, 0x15, "Deleted", "Calendar", since="2.5")
    ExceptionStartTime = Tag(4, 0x16, "ExceptionStartTime", "Calendar", since="2.5", until="14.1")
    Location = Tag(4, 0x17, "Location", "Calendar", since="2.5", until="14.1")
    MeetingStatus = Tag(4, 0x18, "MeetingStatus", "Calendar", since="2.5")
    OrganizerEmail = Tag(4, 0x19, "OrganizerEmail", "Calendar", since="2.5")
    OrganizerName = Tag(4, 0x1A, "OrganizerName", "Calendar", since="2.5")
    Recurrence = Tag(4, 0x1B, "Recurrence", "Calendar", since="2.5")
    Type = Tag(4, 0x1C, "Type", "Calendar", since="2.5")
    Until = Tag(4, 0x1D, "Until", "Calendar", since="2.5")
    Occurrences = Tag(4, 0x1E, "Occurrences", "Calendar", since="2.5")
    Interval = Tag(4, 0x1F, "Interval", "Calendar", since="2.5")
    DayOfWeek = Tag(4, 0x20, "DayOfWeek", "Calendar", since="2.5")
    DayOfMonth = Tag(4, 0x21, "DayOfMonth", "Calendar", since="2.5")
    WeekOfMonth = Tag(4, 0x22, "WeekOfMonth", "Calendar", since="2.5")
    MonthOfYear = Tag(4, 0x23, "MonthOfYear", "Calendar", since="2.5")
    Reminder = Tag(4, 0x24, "Reminder", "Calendar", since="2.5")
    Sensitivity = Tag(4, 0x25, "Sensitivity", "Calendar", since="2.5")
    Subject = Tag(4, 0x26, "Subject", "Calendar", since="2.5")
    StartTime = Tag(4, 0x27, "StartTime", "Calendar", since="2.5")
    UID = Tag(4, 0x28, "UID", "Calendar", since="2.5")
    AttendeeStatus = Tag(4, 0x29, "AttendeeStatus", "Calendar", since="12.0")
    AttendeeType = Tag(4, 0x2A, "AttendeeType", "Calendar", since="12.0")
    Attachment = Tag(4, 0x2B, "Attachment", "Calendar")
    Attachments = Tag(4, 0x2C, "Attachments", "Calendar")
    AttName = Tag(4, 0x2D, "AttName", "Calendar")
    AttSize = Tag(4, 0x2E, "AttSize", "Calendar")
    AttOid = Tag(4, 0x2F, "AttOid", "Calendar")
    AttMethod = Tag(4, 0x30, "AttMethod", "Calendar")
    AttRemoved = Tag(4, 0x31, "AttRemoved", "Calendar")
    DisplayName = Tag(4, 0x32, "DisplayName", "Calendar")
    DisallowNewTimeProposal = Tag(4, 0x33, "DisallowNewTimeProposal", "Calendar", since="14.0")
    ResponseRequested = Tag(4, 0x34, "ResponseRequested", "Calendar", since="14.0")
    AppointmentReplyTime = Tag(4, 0x35, "AppointmentReplyTime", "Calendar", since="14.0")
    ResponseType = Tag(4, 0x36, "ResponseType", "Calendar", since="14.0")
    CalendarType = Tag(4, 0x37, "CalendarType", "Calendar", since="14.0")
    IsLeapMonth = Tag(4, 0x38, "IsLeapMonth", "Calendar", since="14.0")
    FirstDayOfWeek = Tag(4, 0x39, "FirstDayOfWeek", "Calendar", since="14.1")
    OnlineMeetingConfLink = Tag(4, 0x3A, "OnlineMeetingConfLink", "Calendar", since="14.1")
    OnlineMeetingExternalLink = Tag(4, 0x3B, "OnlineMeetingExternalLink", "Calendar", since="14.1")
    ClientUid = Tag(4, 0x3C, "ClientUid", "Calendar", since="16.0")


class Move:
    """Code page 5. MoveItems."""

    MoveItems = Tag(5, 0x05, "MoveItems", "Move", since="2.5")
    Move = Tag(5, 0x06, "Move", "Move", since="2.5")
    SrcMsgId = Tag(5, 0x07, "SrcMsgId", "Move", since="2.5")
    SrcFldId = Tag(5, 0x08, "SrcFldId", "Move", since="2.5")
    DstFldId = Tag(5, 0x09, "DstFldId", "Move", since="2.5")
    Response = Tag(5, 0x0A, "Response", "Move", since="2.5")
    Status = Tag(5, 0x0B, "Status", "Move", since="2.5")
    DstMsgId = Tag(5, 0x0C, "DstMsgId", "Move", since="2.5")


class GetItemEstimate:
    """Code page 6. GetItemEstimate."""

    GetItemEstimate = Tag(6, 0x05, "GetItemEstimate", "GetItemEstimate", since="2.5")
    Version = Tag(6, 0x06, "Version", "GetItemEstimate")
    Collections = Tag(6, 0x07, "Collections", "GetItemEstimate", since="2.5")
    Collection = Tag(6, 0x08, "Collection", "GetItemEstimate", since="2.5")
    Class = Tag(6, 0x09, "Class", "GetItemEstimate", since="2.5")
    CollectionId = Tag(6, 0x0A, "CollectionId", "GetItemEstimate", since="2.5")
    DateTime = Tag(6, 0x0B, "DateTime", "GetItemEstimate", since="2.5", until="2.5")
    Estimate = Tag(6, 0x0C, "Estimate", "GetItemEstimate", since="2.5")
    Response = Tag(6, 0x0D, "Response", "GetItemEstimate", since="2.5")
    Status = Tag(6, 0x0E, "Status", "GetItemEstimate", since="2.5")


class FolderHierarchy:
    """Code page 7. FolderSync, FolderCreate, FolderUpdate and FolderDelete."""

    Folders = Tag(7, 0x05, "Folders", "FolderHierarchy", since="2.5")
    Folder = Tag(7, 0x06, "Folder", "FolderHierarchy", since="2.5")
    DisplayName = Tag(7, 0x07, "DisplayName", "FolderHierarchy", since="2.5")
    ServerId = Tag(7, 0x08, "ServerId", "FolderHierarchy", since="2.5")
    ParentId = Tag(7, 0x09, "ParentId", "FolderHierarchy", since="2.5")
    Type = Tag(7, 0x0A, "Type", "FolderHierarchy", since="2.5")
    Response = Tag(7, 0x0B, "Response", "FolderHierarchy")
    Status = Tag(7, 0x0C, "Status", "FolderHierarchy", since="2.5")
    ContentClass = Tag(7, 0x0D, "ContentClass", "FolderHierarchy")
    Changes = Tag(7, 0x0E, "Changes", "FolderHierarchy", since="2.5")
    Add = Tag(7, 0x0F, "Add", "FolderHierarchy", since="2.5")
    Delete = Tag(7, 0x10, "Delete", "FolderHierarchy", since="2.5")
    Update = Tag(7, 0x11, "Update", "FolderHierarchy", since="2.5")
    SyncKey = Tag(7, 0x12, "SyncKey", "FolderHierarchy", since="2.5")
    FolderCreate = Tag(7, 0x13, "FolderCreate", "FolderHierarchy", since="2.5")
    FolderDelete = Tag(7, 0x14, "FolderDelete", "FolderHierarchy", since="2.5")
    FolderUpdate = Tag(7, 0x15, "FolderUpdate", "FolderHierarchy", since="2.5")
    FolderSync = Tag(7, 0x16, "FolderSync", "FolderHierarchy", since="2.5")
    Count = Tag(7, 0x17, "Count", "FolderHierarchy", since="2.5")
    Version = Tag(7, 0x18, "Version", "FolderHierarchy")


class MeetingResponse:
    """Code page 8. MeetingResponse."""

    CalendarId = Tag(8, 0x05, "CalendarId", "MeetingResponse", since="2.5")
    CollectionId = Tag(8, 0x06, "CollectionId", "MeetingResponse", since="2.5")
    MeetingResponse = Tag(8, 0x07, "MeetingResponse", "MeetingResponse", since="2.5")
    RequestId = Tag(8, 0x08, "RequestId", "MeetingResponse", since="2.5")
    Request = Tag(8, 0x09, "Request", "MeetingResponse", since="2.5")
    Result = Tag(8, 0x0A, "Result", "MeetingResponse", since="2.5")
    Status = Tag(8, 0x0B, "Status", "MeetingResponse", since="2.5")
    UserResponse = Tag(8, 0x0C, "UserResponse", "MeetingResponse", since="2.5")
    Version = Tag(8, 0x0D, "Version", "MeetingResponse")
    InstanceId = Tag(8, 0x0E, "InstanceId", "MeetingResponse", since="14.1")
    ProposedStartTime = Tag(8, 0x10, "ProposedStartTime", "MeetingResponse", since="16.1")
    ProposedEndTime = Tag(8, 0x11, "ProposedEndTime", "MeetingResponse", since="16.1")
    SendResponse = Tag(8, 0x12, "SendResponse", "MeetingResponse", since="16.0")


class Tasks:
    """Code page 9. Tasks."""

    Body = Tag(9, 0x05, "Body", "Tasks", since="2.5", until="2.5")
    BodySize = Tag(9, 0x06, "BodySize", "Tasks", since="2.5", until="2.5")
    BodyTruncated = Tag(9, 0x07, "BodyTruncated", "Tasks", since="2.5", until="2.5")
    Categories = Tag(9, 0x08, "Categories", "Tasks", since="2.5")
    Category = Tag(9, 0x09, "Category", "Tasks", since="2.5")
    Complete = Tag(9, 0x0A, "Complete", "Tasks", since="2.5")
    DateCompleted = Tag(9, 0x0B, "DateCompleted", "Tasks", since="2.5")
    DueDate = Tag(9, 0x0C, "DueDate", "Tasks", since="2.5")
    UtcDueDate = Tag(9, 0x0D, "UtcDueDate", "Tasks", since="2.5")
    Importance = Tag(9, 0x0E, "Importance", "Tasks", since="2.5")
    Recurrence = Tag(9, 0x0F, "Recurrence", "Tasks", since="2.5")
    Type = Tag(9, 0x10, "Type", "Tasks", since="2.5")
    Start = Tag(9, 0x11, "Start", "Tasks", since="2.5")
    Until = Tag(9, 0x12, "Until", "Tasks", since="2.5")
    Occurrences = Tag(9, 0x13, "Occurrences", "Tasks", since="2.5")
    Interval = Tag(9, 0x14, "Interval", "Tasks", since="2.5")
    DayOfMonth = Tag(9, 0x15, "DayOfMonth", "Tasks", since="2.5")
    DayOfWeek = Tag(9, 0x16, "DayOfWeek", "Tasks", since="2.5")
    WeekOfMonth = Tag(9, 0x17, "WeekOfMonth", "Tasks", since="2.5")
    MonthOfYear = Tag(9, 0x18, "MonthOfYear", "Tasks", since="2.5")
    Regenerate = Tag(9, 0x19, "Regenerate", "Tasks", since="2.5")
    DeadOccur = Tag(9, 0x1A, "DeadOccur", "Tasks", since="2.5")
    ReminderSet = Tag(9, 0x1B, "ReminderSet", "Tasks", since="2.5")
    ReminderTime = Tag(9, 0x1C, "ReminderTime", "Tasks", since="2.5")
    Sensitivity = Tag(9, 0x1D, "Sensitivity", "Tasks", since="2.5")
    StartDate = Tag(9, 0x1E, "StartDate", "Tasks", since="2.5")
    UtcStartDate = Tag(9, 0x1F, "UtcStartDate", "Tasks", since="2.5")
    Subject = Tag(9, 0x20, "Subject", "Tasks", since="2.5")
    CompressedRTF = Tag(9, 0x21, "CompressedRTF", "Tasks", since="2.5", until="2.5")
    OrdinalDate = Tag(9, 0x22, "OrdinalDate", "Tasks", since="12.0")
    SubOrdinalDate = Tag(9, 0x23, "SubOrdinalDate", "Tasks", since="12.0")
    CalendarType = Tag(9, 0x24, "CalendarType", "Tasks", since="14.0")
    IsLeapMonth = Tag(9, 0x25, "IsLeapMonth", "Tasks", since="14.0")
    FirstDayOfWeek = Tag(9, 0x26, "FirstDayOfWeek", "Tasks", since="14.1")


class ResolveRecipients:
    """Code page 10. ResolveRecipients."""

    ResolveRecipients = Tag(10, 0x05, "ResolveRecipients", "ResolveRecipients", since="2.5")
    Response = Tag(10, 0x06, "Response", "ResolveRecipients", since="2.5")
    Status = Tag(10, 0x07, "Status", "ResolveRecipients", since="2.5")
    Type = Tag(10, 0x08, "Type", "ResolveRecipients", since="2.5")
    Recipient = Tag(10, 0x09, "Recipient", "ResolveRecipients", since="2.5")
    DisplayName = Tag(10, 0x0A, "DisplayName", "ResolveRecipients", since="2.5")
    EmailAddress = Tag(10, 0x0B, "EmailAddress", "ResolveRecipients", since="2.5")
    Certificates = Tag(10, 0x0C, "Certificates", "ResolveRecipients", since="2.5")
    Certificate = Tag(10, 0x0D, "Certificate", "ResolveRecipients", since="2.5")
    MiniCertificate = Tag(10, 0x0E, "MiniCertificate", "ResolveRecipients", since="2.5")
    Options = Tag(10, 0x0F, "Options", "ResolveRecipients", since="2.5")
    To = Tag(10, 0x10, "To", "ResolveRecipients", since="2.5")
    CertificateRetrieval = Tag(10, 0x11, "CertificateRetrieval", "ResolveRecipients", since="2.5")
    RecipientCount = Tag(10, 0x12, "RecipientCount", "ResolveRecipients", since="2.5")
    MaxCertificates = Tag(10, 0x13, "MaxCertificates", "ResolveRecipients", since="2.5")
    MaxAmbiguousRecipients = Tag(10, 0x14, "MaxAmbiguousRecipients", "ResolveRecipients", since="2.5")
    CertificateCount = Tag(10, 0x15, "CertificateCount", "ResolveRecipients", since="2.5")
    Availability = Tag(10, 0x16, "Availability", "ResolveRecipients", since="14.0")
    StartTime = Tag(10, 0x17, "StartTime", "ResolveRecipients", since="14.0")
    EndTime = Tag(10, 0x18, "EndTime", "ResolveRecipients", since="14.0")
    MergedFreeBusy = Tag(10, 0x19, "MergedFreeBusy", "ResolveRecipients", since="14.0")
    Picture = Tag(10, 0x1A, "Picture", "ResolveRecipients", since="14.1")
    MaxSize = Tag(10, 0x1B, "MaxSize", "ResolveRecipients", since="14.1")
    Data = Tag(10, 0x1C, "Data", "ResolveRecipients", opaque=True, since="14.1")
    MaxPictures = Tag(10, 0x1D, "MaxPictures", "ResolveRecipients", since="14.1")


class ValidateCert:
    """Code page 11. ValidateCert."""

    ValidateCert = Tag(11, 0x05, "ValidateCert", "ValidateCert", since="2.5")
    Certificates = Tag(11, 0x06, "Certificates", "ValidateCert", since="2.5")
    Certificate = Tag(11, 0x07, "Certificate", "ValidateCert", since="2.5")
    CertificateChain = Tag(11, 0x08, "CertificateChain", "ValidateCert", since="2.5")
    CheckCRL = Tag(11, 0x09, "CheckCRL", "ValidateCert", since="2.5")
    Status = Tag(11, 0x0A, "Status", "ValidateCert", since="2.5")


class Contacts2:
    """Code page 12. Contacts, the fields added later."""

    CustomerId = Tag(12, 0x05, "CustomerId", "Contacts2", since="2.5")
    GovernmentId = Tag(12, 0x06, "GovernmentId", "Contacts2", since="2.5")
    IMAddress = Tag(12, 0x07, "IMAddress", "Contacts2", since="2.5")
    IMAddress2 = Tag(12, 0x08, "IMAddress2", "Contacts2", since="2.5")
    IMAddress3 = Tag(12, 0x09, "IMAddress3", "Contacts2", since="2.5")
    ManagerName = Tag(12, 0x0A, "ManagerName", "Contacts2", since="2.5")
    CompanyMainPhone = Tag(12, 0x0B, "CompanyMainPhone", "Contacts2", since="2.5")
    AccountName = Tag(12, 0x0C, "AccountName", "Contacts2", since="2.5")
    NickName = Tag(12, 0x0D, "NickName", "Contacts2", since="2.5")
    MMS = Tag(12, 0x0E, "MMS", "Contacts2", since="2.5")


class Ping:
    """Code page 13. Ping."""

    Ping = Tag(13, 0x05, "Ping", "Ping", since="2.5")
    AutdState = Tag(13, 0x06, "AutdState", "Ping")
    Status = Tag(13, 0x07, "Status", "Ping", since="2.5")
    HeartbeatInterval = Tag(13, 0x08, "HeartbeatInterval", "Ping", since="2.5")
    Folders = Tag(13, 0x09, "Folders", "Ping", since="2.5")
    Folder = Tag(13, 0x0A, "Folder", "Ping", since="2.5")
    Id = Tag(13, 0x0B, "Id", "Ping", since="2.5")
    Class = Tag(13, 0x0C, "Class", "Ping", since="2.5")
    MaxFolders = Tag(13, 0x0D, "MaxFolders", "Ping", since="2.5")
    Version = Tag(13, 0x0E, "Version", "Ping")


class Provision:
    """Code page 14. Provision."""

    Provision = Tag(14, 0x05, "Provision", "Provision", since="2.5")
    Policies = Tag(14, 0x06, "Policies", "Provision", since="2.5")
    Policy = Tag(14, 0x07, "Policy", "Provision", since="2.5")
    PolicyType = Tag(14, 0x08, "PolicyType", "Provision", since="2.5")
    PolicyKey = Tag(14, 0x09, "PolicyKey", "Provision", since="2.5")
    Data = Tag(14, 0x0A, "Data", "Provision", since="2.5")
    Status = Tag(14, 0x0B, "Status", "Provision", since="2.5")
    RemoteWipe = Tag(14, 0x0C, "RemoteWipe", "Provision", since="2.5")
    EASProvisionDoc = Tag(14, 0x0D, "EASProvisionDoc", "Provision", since="12.0")
    DevicePasswordEnabled = Tag(14, 0x0E, "DevicePasswordEnabled", "Provision", since="12.0")
    AlphanumericDevicePasswordRequired = Tag(
        14, 0x0F, "AlphanumericDevicePasswordRequired", "Provision", since="12.0"
    )
    RequireStorageCardEncryption = Tag(14, 0x10, "RequireStorageCardEncryption", "Provision", since="12.1")
    PasswordRecoveryEnabled = Tag(14, 0x11, "PasswordRecoveryEnabled", "Provision", since="12.0")
    DocumentBrowseEnabled = Tag(14, 0x12, "DocumentBrowseEnabled", "Provision", since="2.5", until="2.5")
    AttachmentsEnabled = Tag(14, 0x13, "AttachmentsEnabled", "Provision", since="12.0")
    MinDevicePasswordLength = Tag(14, 0x14, "MinDevicePasswordLength", "Provision", since="12.0")
    MaxInactivityTimeDeviceLock = Tag(14, 0x15, "MaxInactivityTimeDeviceLock", "Provision", since="12.0")
    MaxDevicePasswordFailedAttempts = Tag(
        14, 0x16, "MaxDevicePasswordFailedAttempts", "Provision", since="12.0"
    )
    MaxAttachmentSize = Tag(14, 0x17, "MaxAttachmentSize", "Provision", since="12.0")
    AllowSimpleDevicePassword = Tag(14, 0x18, "AllowSimpleDevicePassword", "Provision", since="12.0")
    DevicePasswordExpiration = Tag(14, 0x19, "DevicePasswordExpiration", "Provision", since="12.0")
    DevicePasswordHistory = Tag(14, 0x1A, "DevicePasswordHistory", "Provision", since="12.0")
    AllowStorageCard = Tag(14, 0x1B, "AllowStorageCard", "Provision", since="12.1")
    AllowCamera = Tag(14, 0x1C, "AllowCamera", "Provision", since="12.1")
    RequireDeviceEncryption = Tag(14, 0x1D, "RequireDeviceEncryption", "Provision", since="12.1")
    AllowUnsignedApplications = Tag(14, 0x1E, "AllowUnsignedApplications", "Provision", since="12.1")
    AllowUnsignedInstallationPackages = Tag(
        14, 0x1F, "AllowUnsignedInstallationPackages", "Provision", since="12.1"
    )
    MinDevicePasswordComplexCharacters = Tag(
        14, 0x20, "MinDevicePasswordComplexCharacters", "Provision", since="12.1"
    )
    AllowWiFi = Tag(14, 0x21, "AllowWiFi", "Provision", since="12.1")
    AllowTextMessaging = Tag(14, 0x22, "AllowTextMessaging", "Provision", since="12.1")
    AllowPOPIMAPEmail = Tag(14, 0x23, "AllowPOPIMAPEmail", "Provision", since="12.1")
    AllowBluetooth = Tag(14, 0x24, "AllowBluetooth", "Provision", since="12.1")
    AllowIrDA = Tag(14, 0x25, "AllowIrDA", "Provision", since="12.1")
    RequireManualSyncWhenRoaming = Tag(14, 0x26, "RequireManualSyncWhenRoaming", "Provision", since="12.1")
    AllowDesktopSync = Tag(14, 0x27, "AllowDesktopSync", "Provision", since="12.1")
    MaxCalendarAgeFilter = Tag(14, 0x28, "MaxCalendarAgeFilter", "Provision", since="12.1")
    AllowHTMLEmail = Tag(14, 0x29, "AllowHTMLEmail", "Provision", since="12.1")
    MaxEmailAgeFilter = Tag(14, 0x2A, "MaxEmailAgeFilter", "Provision", since="12.1")
    MaxEmailBodyTruncationSize = Tag(14, 0x2B, "MaxEmailBodyTruncationSize", "Provision", since="12.1")
    MaxEmailHTMLBodyTruncationSize = Tag(
        14, 0x2C, "MaxEmailHTMLBodyTruncationSize", "Provision", since="12.1"
    )
    RequireSignedSMIMEMessages = Tag(14, 0x2D, "RequireSignedSMIMEMessages", "Provision", since="12.1")
    RequireEncryptedSMIMEMessages = Tag(14, 0x2E, "RequireEncryptedSMIMEMessages", "Provision", since="12.1")
    RequireSignedSMIMEAlgorithm = Tag(14, 0x2F, "RequireSignedSMIMEAlgorithm", "Provision", since="12.1")
    RequireEncryptionSMIMEAlgorithm = Tag(
        14, 0x30, "RequireEncryptionSMIMEAlgorithm", "Provision", since="12.1"
    )
    AllowSMIMEEncryptionAlgorithmNegotiation = Tag(
        14, 0x31, "AllowSMIMEEncryptionAlgorithmNegotiation", "Provision", since="12.1"
    )
    AllowSMIMESoftCerts = Tag(14, 0x32, "AllowSMIMESoftCerts", "Provision", since="12.1")
    AllowBrowser = Tag(14, 0x33, "AllowBrowser", "Provision", since="12.1")
    AllowConsumerEmail = Tag(14, 0x34, "AllowConsumerEmail", "Provision", since="12.1")
    AllowRemoteDesktop = Tag(14, 0x35, "AllowRemoteDesktop", "Provision", since="12.1")
    AllowInternetSharing = Tag(14, 0x36, "AllowInternetSharing", "Provision", since="12.1")
    UnapprovedInROMApplicationList = Tag(
        14, 0x37, "UnapprovedInROMApplicationList", "Provision", since="12.1"
    )
    ApplicationName = Tag(14, 0x38, "ApplicationName", "Provision", since="12.1")
    ApprovedApplicationList = Tag(14, 0x39, "ApprovedApplicationList", "Provision", since="12.1")
    Hash = Tag(14, 0x3A, "Hash", "Provision", since="12.1")
    AccountOnlyRemoteWipe = Tag(14, 0x3B, "AccountOnlyRemoteWipe", "Provision", since="16.1")


class Search:
    """Code page 15. Search."""

    Search = Tag(15, 0x05, "Search", "Search", since="2.5")
    Stores = Tag(15, 0x06, "Stores", "Search", since="12.0")
    Store = Tag(15, 0x07, "Store", "Search", since="2.5")
    Name = Tag(15, 0x08, "Name", "Search", since="12.0")
    Query = Tag(15, 0x09, "Query", "Search", since="12.0")
    Options = Tag(15, 0x0A, "Options", "Search", since="12.0")
    Range = Tag(15, 0x0B, "Range", "Search", since="2.5")
    Status = Tag(15, 0x0C, "Status", "Search", since="2.5")
    Response = Tag(15, 0x0D, "Response", "Search", since="2.5")
    Result = Tag(15, 0x0E, "Result", "Search", since="2.5")
    Properties = Tag(15, 0x0F, "Properties", "Search", since="2.5")
    Total = Tag(15, 0x10, "Total", "Search", since="2.5")
    EqualTo = Tag(15, 0x11, "EqualTo", "Search", since="12.0")
    Value = Tag(15, 0x12, "Value", "Search", since="12.0")
    And = Tag(15, 0x13, "And", "Search", since="12.0")
    Or = Tag(15, 0x14, "Or", "Search", since="12.0")
    FreeText = Tag(15, 0x15, "FreeText", "Search", since="12.0")
    DeepTraversal = Tag(15, 0x17, "DeepTraversal", "Search", since="12.0")
    LongId = Tag(15, 0x18, "LongId", "Search", since="12.0")
    RebuildResults = Tag(15, 0x19, "RebuildResults", "Search", since="12.0")
    LessThan = Tag(15, 0x1A, "LessThan", "Search", since="12.0")
    GreaterThan = Tag(15, 0x1B, "GreaterThan", "Search", since="12.0")
    Schema = Tag(15, 0x1C, "Schema", "Search", since="12.0")
    Supported = Tag(15, 0x1D, "Supported", "Search", since="12.0")
    UserName = Tag(15, 0x1E, "UserName", "Search", since="12.0")
    Password = Tag(15, 0x1F, "Password", "Search", since="12.0")
    ConversationId = Tag(15, 0x20, "ConversationId", "Search", opaque=True, since="14.0")
    Picture = Tag(15, 0x21, "Picture", "Search", since="14.1")
    MaxSize = Tag(15, 0x22, "MaxSize", "Search", since="14.1")
    MaxPictures = Tag(15, 0x23, "MaxPictures", "Search", since="14.1")


class GAL:
    """Code page 16. Global address list entries in Search, Find and ResolveRecipients."""

    DisplayName = Tag(16, 0x05, "DisplayName", "GAL", since="2.5")
    Phone = Tag(16, 0x06, "Phone", "GAL", since="2.5")
    Office = Tag(16, 0x07, "Office", "GAL", since="2.5")
    Title = Tag(16, 0x08, "Title", "GAL", since="2.5")
    Company = Tag(16, 0x09, "Company", "GAL", since="2.5")
    Alias = Tag(16, 0x0A, "Alias", "GAL", since="2.5")
    FirstName = Tag(16, 0x0B, "FirstName", "GAL", since="2.5")
    LastName = Tag(16, 0x0C, "LastName", "GAL", since="2.5")
    HomePhone = Tag(16, 0x0D, "HomePhone", "GAL", since="2.5")
    MobilePhone = Tag(16, 0x0E, "MobilePhone", "GAL", since="2.5")
    EmailAddress = Tag(16, 0x0F, "EmailAddress", "GAL", since="2.5")
    Picture = Tag(16, 0x10, "Picture", "GAL", since="14.1")
    Status = Tag(16, 0x11, "Status", "GAL", since="14.1")
    Data = Tag(16, 0x12, "Data", "GAL", opaque=True, since="14.1")


class AirSyncBase:
    """Code page 17. Bodies, attachments and locations shared by all classes."""

    BodyPreference = Tag(17, 0x05, "BodyPreference", "AirSyncBase", since="12.0")
    Type = Tag(17, 0x06, "Type", "AirSyncBase", since="12.0")
    TruncationSize = Tag(17, 0x07, "TruncationSize", "AirSyncBase", since="12.0")
    AllOrNone = Tag(17, 0x08, "AllOrNone", "AirSyncBase", since="12.0")
    Body = Tag(17, 0x0A, "Body", "AirSyncBase", since="12.0")
    Data = Tag(17, 0x0B, "Data", "AirSyncBase", since="12.0")
    EstimatedDataSize = Tag(17, 0x0C, "EstimatedDataSize", "AirSyncBase", since="12.0")
    Truncated = Tag(17, 0x0D, "Truncated", "AirSyncBase", since="12.0")
    Attachments = Tag(17, 0x0E, "Attachments", "AirSyncBase", since="12.0")
    Attachment = Tag(17, 0x0F, "Attachment", "AirSyncBase", since="12.0")
    DisplayName = Tag(17, 0x10, "DisplayName", "AirSyncBase", since="12.0")
    FileReference = Tag(17, 0x11, "FileReference", "AirSyncBase", since="12.0")
    Method = Tag(17, 0x12, "Method", "AirSyncBase", since="12.0")
    ContentId = Tag(17, 0x13, "ContentId", "AirSyncBase", since="12.0")
    ContentLocation = Tag(17, 0x14, "ContentLocation", "AirSyncBase", since="12.0")
    IsInline = Tag(17, 0x15, "IsInline", "AirSyncBase", since="12.0")
    NativeBodyType = Tag(17, 0x16, "NativeBodyType", "AirSyncBase", since="12.0")
    ContentType = Tag(17, 0x17, "ContentType", "AirSyncBase", since="12.0")
    Preview = Tag(17, 0x18, "Preview", "AirSyncBase", since="14.0")
    BodyPartPreference = Tag(17, 0x19, "BodyPartPreference", "AirSyncBase", since="14.1")
    BodyPart = Tag(17, 0x1A, "BodyPart", "AirSyncBase", since="14.1")
    Status = Tag(17, 0x1B, "Status", "AirSyncBase", since="14.1")
    Add = Tag(17, 0x1C, "Add", "AirSyncBase", since="16.0")
    Delete = Tag(17, 0x1D, "Delete", "AirSyncBase", since="16.0")
    ClientId = Tag(17, 0x1E, "ClientId", "AirSyncBase", since="16.0")
    Content = Tag(17, 0x1F, "Content", "AirSyncBase", opaque=True, since="16.0")
    Location = Tag(17, 0x20, "Location", "AirSyncBase", since="16.0")
    Annotation = Tag(17, 0x21, "Annotation", "AirSyncBase", since="16.0")
    Street = Tag(17, 0x22, "Street", "AirSyncBase", since="16.0")
    City = Tag(17, 0x23, "City", "AirSyncBase", since="16.0")
    State = Tag(17, 0x24, "State", "AirSyncBase", since="16.0")
    Country = Tag(17, 0x25, "Country", "AirSyncBase", since="16.0")
    PostalCode = Tag(17, 0x26, "PostalCode", "AirSyncBase", since="16.0")
    Latitude = Tag(17, 0x27, "Latitude", "AirSyncBase", since="16.0")
    Longitude = Tag(17, 0x28, "Longitude", "AirSyncBase", since="16.0")
    Accuracy = Tag(17, 0x29, "Accuracy", "AirSyncBase", since="16.0")
    Altitude = Tag(17, 0x2A, "Altitude", "AirSyncBase", since="16.0")
    AltitudeAccuracy = Tag(17, 0x2B, "AltitudeAccuracy", "AirSyncBase", since="16.0")
    LocationUri = Tag(17, 0x2C, "LocationUri", "AirSyncBase", since="16.0")
    InstanceId = Tag(17, 0x2D, "InstanceId", "AirSyncBase", since="16.0")


class Settings:
    """Code page 18. Settings."""

    Settings = Tag(18, 0x05, "Settings", "Settings", since="12.0")
    Status = Tag(18, 0x06, "Status", "Settings", since="12.0")
    Get = Tag(18, 0x07, "Get", "Settings", since="12.0")
    Set = Tag(18, 0x08, "Set", "Settings", since="12.0")
    Oof = Tag(18, 0x09, "Oof", "Settings", since="12.0")
    OofState = Tag(18, 0x0A, "OofState", "Settings", since="12.0")
    StartTime = Tag(18, 0x0B, "StartTime", "Settings", since="12.0")
    EndTime = Tag(18, 0x0C, "EndTime", "Settings", since="12.0")
    OofMessage = Tag(18, 0x0D, "OofMessage", "Settings", since="12.0")
    AppliesToInternal = Tag(18, 0x0E, "AppliesToInternal", "Settings", since="12.0")
    AppliesToExternalKnown = Tag(18, 0x0F, "AppliesToExternalKnown", "Settings", since="12.0")
    AppliesToExternalUnknown = Tag(18, 0x10, "AppliesToExternalUnknown", "Settings", since="12.0")
    Enabled = Tag(18, 0x11, "Enabled", "Settings", since="12.0")
    ReplyMessage = Tag(18, 0x12, "ReplyMessage", "Settings", since="12.0")
    BodyType = Tag(18, 0x13, "BodyType", "Settings", since="12.0")
    DevicePassword = Tag(18, 0x14, "DevicePassword", "Settings", since="12.0")
    Password = Tag(18, 0x15, "Password", "Settings", since="12.0")
    DeviceInformation = Tag(18, 0x16, "DeviceInformation", "Settings", since="12.0")
    Model = Tag(18, 0x17, "Model", "Settings", since="12.0")
    IMEI = Tag(18, 0x18, "IMEI", "Settings", since="12.0")
    FriendlyName = Tag(18, 0x19, "FriendlyName", "Settings", since="12.0")
    OS = Tag(18, 0x1A, "OS", "Settings", since="12.0")
    OSLanguage = Tag(18, 0x1B, "OSLanguage", "Settings", since="12.0")
    PhoneNumber = Tag(18, 0x1C, "PhoneNumber", "Settings", since="12.0")
    UserInformation = Tag(18, 0x1D, "UserInformation", "Settings", since="12.0")
    EmailAddresses = Tag(18, 0x1E, "EmailAddresses", "Settings", since="12.0")
    SMTPAddress = Tag(18, 0x1F, "SMTPAddress", "Settings", since="12.0")
    UserAgent = Tag(18, 0x20, "UserAgent", "Settings", since="12.0")
    EnableOutboundSMS = Tag(18, 0x21, "EnableOutboundSMS", "Settings", since="14.0")
    MobileOperator = Tag(18, 0x22, "MobileOperator", "Settings", since="14.0")
    PrimarySmtpAddress = Tag(18, 0x23, "PrimarySmtpAddress", "Settings", since="14.1")
    Accounts = Tag(18, 0x24, "Accounts", "Settings", since="14.1")
    Account = Tag(18, 0x25, "Account", "Settings", since="14.1")
    AccountId = Tag(18, 0x26, "AccountId", "Settings", since="14.1")
    AccountName = Tag(18, 0x27, "AccountName", "Settings", since="14.1")
    UserDisplayName = Tag(18, 0x28, "UserDisplayName", "Settings", since="14.1")
    SendDisabled = Tag(18, 0x29, "SendDisabled", "Settings", since="14.1")
    RightsManagementInformation = Tag(18, 0x2B, "RightsManagementInformation", "Settings", since="14.1")


class DocumentLibrary:
    """Code page 19. Document libraries (UNC and SharePoint)."""

    LinkId = Tag(19, 0x05, "LinkId", "DocumentLibrary", since="12.0")
    DisplayName = Tag(19, 0x06, "DisplayName", "DocumentLibrary", since="12.0")
    IsFolder = Tag(19, 0x07, "IsFolder", "DocumentLibrary", since="12.0")
    CreationDate = Tag(19, 0x08, "CreationDate", "DocumentLibrary", since="12.0")
    LastModifiedDate = Tag(19, 0x09, "LastModifiedDate", "DocumentLibrary", since="12.0")
    IsHidden = Tag(19, 0x0A, "IsHidden", "DocumentLibrary", since="12.0")
    ContentLength = Tag(19, 0x0B, "ContentLength", "DocumentLibrary", since="12.0")
    ContentType = Tag(19, 0x0C, "ContentType", "DocumentLibrary", since="12.0")


class ItemOperations:
    """Code page 20. ItemOperations."""

    ItemOperations = Tag(20, 0x05, "ItemOperations", "ItemOperations", since="12.0")
    Fetch = Tag(20, 0x06, "Fetch", "ItemOperations", since="12.0")
    Store = Tag(20, 0x07, "Store", "ItemOperations", since="12.0")
    Options = Tag(20, 0x08, "Options", "ItemOperations", since="12.0")
    Range = Tag(20, 0x09, "Range", "ItemOperations", since="12.0")
    Total = Tag(20, 0x0A, "Total", "ItemOperations", since="12.0")
    Properties = Tag(20, 0x0B, "Properties", "ItemOperations", since="12.0")
    Data = Tag(20, 0x0C, "Data", "ItemOperations", since="12.0")
    Status = Tag(20, 0x0D, "Status", "ItemOperations", since="12.0")
    Response = Tag(20, 0x0E, "Response", "ItemOperations", since="12.0")
    Version = Tag(20, 0x0F, "Version", "ItemOperations", since="12.0")
    Schema = Tag(20, 0x10, "Schema", "ItemOperations", since="12.0")
    Part = Tag(20, 0x11, "Part", "ItemOperations", since="12.0")
    EmptyFolderContents = Tag(20, 0x12, "EmptyFolderContents", "ItemOperations", since="12.0")
    DeleteSubFolders = Tag(20, 0x13, "DeleteSubFolders", "ItemOperations", since="12.0")
    UserName = Tag(20, 0x14, "UserName", "ItemOperations", since="12.0")
    Password = Tag(20, 0x15, "Password", "ItemOperations", since="12.0")
    Move = Tag(20, 0x16, "Move", "ItemOperations", since="14.0")
    DstFldId = Tag(20, 0x17, "DstFldId", "ItemOperations", since="14.0")
    ConversationId = Tag(20, 0x18, "ConversationId", "ItemOperations", opaque=True, since="14.0")
    MoveAlways = Tag(20, 0x19, "MoveAlways", "ItemOperations", since="14.0")


class ComposeMail:
    """Code page 21. SendMail, SmartReply and SmartForward."""

    SendMail = Tag(21, 0x05, "SendMail", "ComposeMail", since="14.0")
    SmartForward = Tag(21, 0x06, "SmartForward", "ComposeMail", since="14.0")
    SmartReply = Tag(21, 0x07, "SmartReply", "ComposeMail", since="14.0")
    SaveInSentItems = Tag(21, 0x08, "SaveInSentItems", "ComposeMail", since="14.0")
    ReplaceMime = Tag(21, 0x09, "ReplaceMime", "ComposeMail", since="14.0")
    Type = Tag(21, 0x0A, "Type", "ComposeMail", since="14.0")
    Source = Tag(21, 0x0B, "Source", "ComposeMail", since="14.0")
    FolderId = Tag(21, 0x0C, "FolderId", "ComposeMail", since="14.0")
    ItemId = Tag(21, 0x0D, "ItemId", "ComposeMail", since="14.0")
    LongId = Tag(21, 0x0E, "LongId", "ComposeMail", since="14.0")
    InstanceId = Tag(21, 0x0F, "InstanceId", "ComposeMail", since="14.0")
    Mime = Tag(21, 0x10, "Mime", "ComposeMail", opaque=True, since="14.0")
    ClientId = Tag(21, 0x11, "ClientId", "ComposeMail", since="14.0")
    Status = Tag(21, 0x12, "Status", "ComposeMail", since="14.0")
    AccountId = Tag(21, 0x13, "AccountId", "ComposeMail", since="14.1")
    Forwardees = Tag(21, 0x15, "Forwardees", "ComposeMail", since="16.0")
    Forwardee = Tag(21, 0x16, "Forwardee", "ComposeMail", since="16.0")
    ForwardeeName = Tag(21, 0x17, "ForwardeeName", "ComposeMail", since="16.0")
    ForwardeeEmail = Tag(21, 0x18, "ForwardeeEmail", "ComposeMail", since="16.0")


class Email2:
    """Code page 22. Mail, the fields added later."""

    UmCallerID = Tag(22, 0x05, "UmCallerID", "Email2", since="14.0")
    UmUserNotes = Tag(22, 0x06, "UmUserNotes", "Email2", since="14.0")
    UmAttDuration = Tag(22, 0x07, "UmAttDuration", "Email2", since="14.0")
    UmAttOrder = Tag(22, 0x08, "UmAttOrder", "Email2", since="14.0")
    ConversationId = Tag(22, 0x09, "ConversationId", "Email2", opaque=True, since="14.0")
    ConversationIndex = Tag(22, 0x0A, "ConversationIndex", "Email2", opaque=True, since="14.0")
    LastVerbExecuted = Tag(22, 0x0B, "LastVerbExecuted", "Email2", since="14.0")
    LastVerbExecutionTime = Tag(22, 0x0C, "LastVerbExecutionTime", "Email2", since="14.0")
    ReceivedAsBcc = Tag(22, 0x0D, "ReceivedAsBcc", "Email2", since="14.0")
    Sender = Tag(22, 0x0E, "Sender", "Email2", since="14.0")
    CalendarType = Tag(22, 0x0F, "CalendarType", "Email2", since="14.0")
    IsLeapMonth = Tag(22, 0x10, "IsLeapMonth", "Email2", since="14.0")
    AccountId = Tag(22, 0x11, "AccountId", "Email2", since="14.1")
    FirstDayOfWeek = Tag(22, 0x12, "FirstDayOfWeek", "Email2", since="14.1")
    MeetingMessageType = Tag(22, 0x13, "MeetingMessageType", "Email2", since="14.1")
    IsDraft = Tag(22, 0x15, "IsDraft", "Email2", since="16.0")
    Bcc = Tag(22, 0x16, "Bcc", "Email2", since="16.0")
    Send = Tag(22, 0x17, "Send", "Email2", since="16.0")


class Notes:
    """Code page 23. Notes."""

    Subject = Tag(23, 0x05, "Subject", "Notes", since="14.0")
    MessageClass = Tag(23, 0x06, "MessageClass", "Notes", since="14.0")
    LastModifiedDate = Tag(23, 0x07, "LastModifiedDate", "Notes", since="14.0")
    Categories = Tag(23, 0x08, "Categories", "Notes", since="14.0")
    Category = Tag(23, 0x09, "Category", "Notes", since="14.0")


class RightsManagement:
    """Code page 24. Rights management."""

    RightsManagementSupport = Tag(24, 0x05, "RightsManagementSupport", "RightsManagement", since="14.1")
    RightsManagementTemplates = Tag(24, 0x06, "RightsManagementTemplates", "RightsManagement", since="14.1")
    RightsManagementTemplate = Tag(24, 0x07, "RightsManagementTemplate", "RightsManagement", since="14.1")
    RightsManagementLicense = Tag(24, 0x08, "RightsManagementLicense", "RightsManagement", since="14.1")
    EditAllowed = Tag(24, 0x09, "EditAllowed", "RightsManagement", since="14.1")
    ReplyAllowed = Tag(24, 0x0A, "ReplyAllowed", "RightsManagement", since="14.1")
    ReplyAllAllowed = Tag(24, 0x0B, "ReplyAllAllowed", "RightsManagement", since="14.1")
    ForwardAllowed = Tag(24, 0x0C, "ForwardAllowed", "RightsManagement", since="14.1")
    ModifyRecipientsAllowed = Tag(24, 0x0D, "ModifyRecipientsAllowed", "RightsManagement", since="14.1")
    ExtractAllowed = Tag(24, 0x0E, "ExtractAllowed", "RightsManagement", since="14.1")
    PrintAllowed = Tag(24, 0x0F, "PrintAllowed", "RightsManagement", since="14.1")
    ExportAllowed = Tag(24, 0x10, "ExportAllowed", "RightsManagement", since="14.1")
    ProgrammaticAccessAllowed = Tag(24, 0x11, "ProgrammaticAccessAllowed", "RightsManagement", since="14.1")
    Owner = Tag(24, 0x12, "Owner", "RightsManagement", since="14.1")
    ContentExpiryDate = Tag(24, 0x13, "ContentExpiryDate", "RightsManagement", since="14.1")
    TemplateID = Tag(24, 0x14, "TemplateID", "RightsManagement", since="14.1")
    TemplateName = Tag(24, 0x15, "TemplateName", "RightsManagement", since="14.1")
    TemplateDescription = Tag(24, 0x16, "TemplateDescription", "RightsManagement", since="14.1")
    ContentOwner = Tag(24, 0x17, "ContentOwner", "RightsManagement", since="14.1")
    RemoveRightsManagementProtection = Tag(
        24, 0x18, "RemoveRightsManagementProtection", "RightsManagement", since="14.1"
    )


class Find:
    """Code page 25. Find. The token numbers jump from 0x19 to 0x20."""

    Find = Tag(25, 0x05, "Find", "Find", since="16.1")
    SearchId = Tag(25, 0x06, "SearchId", "Find", since="16.1")
    ExecuteSearch = Tag(25, 0x07, "ExecuteSearch", "Find", since="16.1")
    MailBoxSearchCriterion = Tag(25, 0x08, "MailBoxSearchCriterion", "Find", since="16.1")
    Query = Tag(25, 0x09, "Query", "Find", since="16.1")
    Status = Tag(25, 0x0A, "Status", "Find", since="16.1")
    FreeText = Tag(25, 0x0B, "FreeText", "Find", since="16.1")
    Options = Tag(25, 0x0C, "Options", "Find", since="16.1")
    Range = Tag(25, 0x0D, "Range", "Find", since="16.1")
    DeepTraversal = Tag(25, 0x0E, "DeepTraversal", "Find", since="16.1")
    Response = Tag(25, 0x11, "Response", "Find", since="16.1")
    Result = Tag(25, 0x12, "Result", "Find", since="16.1")
    Properties = Tag(25, 0x13, "Properties", "Find", since="16.1")
    Preview = Tag(25, 0x14, "Preview", "Find", since="16.1")
    HasAttachments = Tag(25, 0x15, "HasAttachments", "Find", since="16.1")
    Total = Tag(25, 0x16, "Total", "Find", since="16.1")
    DisplayCc = Tag(25, 0x17, "DisplayCc", "Find", since="16.1")
    DisplayBcc = Tag(25, 0x18, "DisplayBcc", "Find", since="16.1")
    GALSearchCriterion = Tag(25, 0x19, "GALSearchCriterion", "Find", since="16.1")
    MaxPictures = Tag(25, 0x20, "MaxPictures", "Find", since="16.1")
    MaxSize = Tag(25, 0x21, "MaxSize", "Find", since="16.1")
    Picture = Tag(25, 0x22, "Picture", "Find", since="16.1")


REMOVED_PAGES = frozenset({AirNotify.Notify.page})
"""Pages whose tokens are reserved and must not be accepted."""

PAGES: dict[int, dict[int, Tag]] = {}
"""Page number to the tags on it, by token."""

for _page in (
    AirSync,
    Contacts,
    Email,
    AirNotify,
    Calendar,
    Move,
    GetItemEstimate,
    FolderHierarchy,
    MeetingResponse,
    Tasks,
    ResolveRecipients,
    ValidateCert,
    Contacts2,
    Ping,
    Provision,
    Search,
    GAL,
    AirSyncBase,
    Settings,
    DocumentLibrary,
    ItemOperations,
    ComposeMail,
    Email2,
    Notes,
    RightsManagement,
    Find,
):
    for _tag in vars(_page).values():
        if isinstance(_tag, Tag):
            PAGES.setdefault(_tag.page, {})[_tag.token] = _tag

TAGS: dict[tuple[int, int], Tag] = {
    (page, token): tag for page, tags in PAGES.items() for token, tag in tags.items()
}
"""Every tag by (page, token)."""

TAGS_BY_NAME: dict[tuple[str, str], Tag] = {(tag.namespace, tag.name): tag for tag in TAGS.values()}
"""Every tag by (namespace, name)."""


def tag_at(page: int, token: int) -> Tag:
    """Return the tag at a page and token; raises KeyError."""
    return TAGS[page, token]


# Copying or unpickling a tag must give the one tag again, because tags are compared by identity.
copyreg.pickle(Tag, lambda tag: (tag_at, (tag.page, tag.token)))
