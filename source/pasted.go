package source

import "context"

// Pasted asks the person for the redirect until take finds nothing wrong with one: what was cut off, or copied from another
// page, can be pasted again.
func Pasted(ctx context.Context, ui UI, take func(text string) error) error {
	var wrong error
	for {
		text, err := ui.PastedRedirect(ctx, wrong)
		if err != nil {
			return err
		}
		if wrong = take(text); wrong == nil {
			return nil
		}
	}
}
