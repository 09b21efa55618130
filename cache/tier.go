package cache

// Tier names for people where the data keys are kept hot; "none" where they are not.
func (s *Store) Tier() string { return s.keys.Tier() }
