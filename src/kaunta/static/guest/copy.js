// The copy buttons, which only a browser with scripts shows; elsewhere the number is there to be read or marked.
onclick=({target:t})=>t.dataset.copy&&navigator.clipboard?.writeText(t.dataset.copy).then(()=>t.ariaLabel=t.textContent=t.dataset.done);
