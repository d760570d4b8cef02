package postgres

// Bounds limits the rows that a filtered list reads.
type Bounds = bounds

// UsualBounds are the bounds of the service.
var UsualBounds = usualBounds

// NewBounds returns bounds.
func NewBounds(window, found int) Bounds { return bounds{window, found} }

// SetBounds sets the bounds of the store's lists.
func (s *Store) SetBounds(b Bounds) { s.bounds = b }

// SetSyncBytes sets the bound for the texts of a page of a sync.
func (s *Store) SetSyncBytes(n int) { s.syncBytes = n }

// DeletionBatch is the number of tasks that one step of a deletion removes.
const DeletionBatch = deletionBatch
